// Claims: renewed while the moderator is active, released soon after leaving; polls for new flags.
import { add, deck, isList, items, parse } from "./deck.js";
import { enqueue, formOf, isWaiting, post } from "./server.js";

const lease = (Number(deck?.dataset.lease) || 120) * 1000;
let activeAt = Date.now();

async function fetchMore() {
  const headers = { "HX-Request": "true" };
  const response = await fetch(location.href, { headers }).catch(() => null);
  if (response?.ok) add(parse(await response.text()));
}

// An idle page also polls every 5 s: claims of others expire without an event, and the count does
// not change if one flag arrives while another is decided.
function watchForMore() {
  const isIdle = () => items().length === 0 && !isWaiting();
  setInterval(() => {
    if (isIdle() && !document.hidden) enqueue(fetchMore);
  }, 5000);
  document.addEventListener("htmx:sseMessage", (event) => {
    if (event.detail.type === "to-review" && isIdle() && event.detail.data !== "0")
      enqueue(fetchMore);
  });
}

function hold(form) {
  if (items().length === 0) return;
  post(form, "/console/reviews/hold", "", { keepalive: true }).catch(() => {});
}

// Without activity the claims expire. A reloaded page renews them immediately.
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
