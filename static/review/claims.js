// Claims: held while somebody is here, given back soon after leaving; new flags come by themselves.
import { add, deck, isList, items, parse } from "./deck.js";
import { formOf, inLine, isWaiting, post } from "./server.js";

const lease = (Number(deck?.dataset.lease) || 120) * 1000;
let activeAt = Date.now();

async function fetchMore() {
  const reply = await fetch(location.href, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (reply?.ok) add(parse(await reply.text()));
}

// Whoever waits also asks every few seconds: others' claims run out, and a flag that comes as one
// goes leaves the count as it was.
function watchForMore() {
  const isIdle = () => items().length === 0 && !isWaiting();
  setInterval(() => {
    if (isIdle() && !document.hidden) inLine(fetchMore);
  }, 5000);
  document.addEventListener("htmx:sseMessage", (event) => {
    if (event.detail.type === "to-review" && isIdle() && event.detail.data !== "0")
      inLine(fetchMore);
  });
}

function hold(form) {
  if (items().length === 0) return;
  post(form, "/console/reviews/hold", "", { keepalive: true }).catch(() => {});
}

// Without activity the claims run out. A page that was loaded anew holds them again at once.
export function watchClaims() {
  for (const sign of ["keydown", "pointerdown", "pointermove", "scroll"]) {
    document.addEventListener(
      sign,
      () => {
        activeAt = Date.now();
      },
      { passive: true },
    );
  }
  if (isList) return;
  const stay = formOf({});
  const leaving = formOf({ leaving: "1" });
  setInterval(() => {
    if (!document.hidden && Date.now() - activeAt < lease) hold(stay);
  }, lease / 3);
  setTimeout(hold, 2000, stay);
  addEventListener("pagehide", () => hold(leaving));
  addEventListener("pageshow", (event) => {
    if (event.persisted) hold(stay);
  });
  watchForMore();
}
