// Decisions: the next flag is shown immediately, the request is sent in the background, U undoes
// the last decision, escalation or skip.
import { add, bringBack, current, deck, items, leave, parse, putFirst, show } from "./deck.js";
import { enqueue, formOf, post } from "./server.js";

const { notice, words } = window.sluice;
const DEBOUNCE = 150; // ms in which a second press counts as the same one
const recent = []; // decisions of this page that can be undone, newest last
let decidedAt = -Infinity;

function isSamePress() {
  const now = performance.now();
  if (now - decidedAt < DEBOUNCE) return true;
  decidedAt = now;
  return false;
}

// A decision, an escalation or a skip.
export function act(form, button) {
  if (isSamePress()) return;
  const item = form.closest("[data-case]");
  const url = button.hasAttribute("formaction") ? button.formAction : form.action;
  const skips = "skip" in button.dataset;
  const isRecalled = skips || "escalate" in button.dataset; // nothing is decided that is undone
  const entry = { item, decision: null, recall: isRecalled ? url : "" };
  leave(item, !skips);
  recent.push(entry);
  entry.box = showNotice(item, button);
  enqueue(() => finish(form, url, button.name === "outcome" ? button.value : "", entry));
}

async function finish(form, url, outcome, entry) {
  let response;
  try {
    response = await post(form, url, outcome);
  } catch {
    failed(entry, "The server does not respond.", true);
    return;
  }
  if (!response.ok) {
    const text = parse(await response.text()).textContent.trim();
    const final = [403, 404, 409].includes(response.status);
    failed(entry, text || `The server responded with status ${response.status}.`, !final);
    return;
  }
  const fresh = parse(await response.text());
  entry.decision = fresh.querySelector("[data-decision]")?.dataset.decision ?? null;
  const alike = fresh.querySelector("[data-alike]");
  if (alike && entry.box.isConnected) entry.box.lastElementChild.before(alike);
  if ("gone" in entry.item.dataset) entry.item.remove();
  add(fresh);
}

function failed(entry, text, restored) {
  entry.box?.remove();
  const at = recent.indexOf(entry);
  if (at >= 0) recent.splice(at, 1);
  const link = document.createElement("a");
  link.href = `/console/submissions/${entry.item.dataset.id}`;
  link.textContent = "Open it";
  if (restored) bringBack(entry.item);
  else entry.item.remove();
  const message = restored ? `Not saved, decide again: ${text}` : `Not saved: ${text}`;
  notice(restored ? [words(message)] : [words(message), link], { seconds: 20, wrong: true });
}

// The notice with its undo button and the seconds until the webhook is sent.
function showNotice(item, button) {
  const reason = button.dataset.reason ? ` · ${button.dataset.reason}` : "";
  const undo = document.createElement("button");
  const key = document.createElement("kbd");
  key.textContent = "U";
  const seconds = words("");
  seconds.className = "seconds";
  seconds.setAttribute("aria-hidden", "true"); // a countdown is not read out
  undo.append(key, " undo, ", seconds);
  document.getElementById("notices").replaceChildren();
  const text = `${button.dataset.done} “${item.dataset.name}”${reason}`;
  const box = notice([words(text), undo], { seconds: 0 });
  let left = Number(deck.dataset.undo) || 10;
  const tick = () => {
    seconds.textContent = `${left} s`;
    if (left-- <= 0) {
      clearInterval(timer);
      box.remove();
    }
  };
  const timer = setInterval(tick, 1000);
  tick();
  undo.addEventListener("click", undoLast);
  return box;
}

export function undoLast() {
  if (isSamePress()) return;
  document.getElementById("notices").replaceChildren();
  const entry = recent.pop() ?? null;
  if (entry) bringBack(entry.item);
  enqueue(() => sendUndo(entry));
}

async function sendUndo(entry) {
  const { view, filter, client, label } = deck.dataset;
  const url = entry?.recall || "/console/reviews/undo";
  const fields = entry?.recall ? { recall: "1" } : { decision: entry?.decision ?? "" };
  const response = await post(formOf({ ...fields, view, filter, client, label }), url).catch(
    () => null,
  );
  if (!response?.ok) {
    entry?.item.remove();
    if (items().length) show(current() ?? items()[0]);
    const text = response
      ? parse(await response.text()).textContent.trim()
      : "Not undone: the server does not respond.";
    notice([words(text)], { wrong: true });
    return;
  }
  const reopened = [...parse(await response.text()).querySelectorAll("[data-case]")];
  for (const fresh of reopened.reverse()) putFirst(fresh);
}
