// Deciding: the next flag is shown at once, the request goes off behind it, and U takes it back.
import { add, bringBack, current, deck, items, leave, parse, putFirst, show } from "./deck.js";
import { formOf, inLine, post } from "./server.js";

const { notice, words } = window.sluice;
const GUARD = 150; // ms in which a second press is taken for the same one
const recent = []; // what was decided here and can be undone, the newest last
let decidedAt = -Infinity;

function isSamePress() {
  const now = performance.now();
  if (now - decidedAt < GUARD) return true;
  decidedAt = now;
  return false;
}

// A decision, an escalation or a skip.
export function act(form, button) {
  if (isSamePress()) return;
  const item = form.closest("[data-case]");
  const url = button.hasAttribute("formaction") ? button.formAction : form.action;
  const entry = { item, decision: null, escalation: "escalate" in button.dataset ? url : "" };
  const skips = "skip" in button.dataset;
  leave(item, !skips);
  if (!skips) {
    recent.push(entry);
    entry.box = tell(item, button);
  }
  inLine(() => finish(form, url, button.name === "outcome" ? button.value : "", entry));
}

async function finish(form, url, outcome, entry) {
  let reply;
  try {
    reply = await post(form, url, outcome);
  } catch {
    failed(entry, "The server cannot be reached.", true);
    return;
  }
  if (!reply.ok) {
    const text = parse(await reply.text()).textContent.trim();
    const final = [403, 404, 409].includes(reply.status);
    failed(entry, text || `The server answered ${reply.status}.`, !final);
    return;
  }
  const fresh = parse(await reply.text());
  entry.decision = fresh.querySelector("[data-decision]")?.dataset.decision ?? null;
  if ("gone" in entry.item.dataset) entry.item.remove();
  add(fresh);
}

function failed(entry, text, comesBack) {
  entry.box?.remove();
  const at = recent.indexOf(entry);
  if (at >= 0) recent.splice(at, 1);
  const link = document.createElement("a");
  link.href = `/console/submissions/${entry.item.dataset.id}`;
  link.textContent = "Look at it";
  if (comesBack) bringBack(entry.item);
  else entry.item.remove();
  const told = comesBack ? `Not saved, it is back: ${text}` : `Not counted: ${text}`;
  notice(comesBack ? [words(told)] : [words(told), link], { seconds: 20, wrong: true });
}

// The notice with its undo and the seconds until the client is told.
function tell(item, button) {
  const reason = button.dataset.reason ? ` · ${button.dataset.reason}` : "";
  const undo = document.createElement("button");
  const key = document.createElement("kbd");
  key.textContent = "U";
  const seconds = words("");
  seconds.className = "seconds";
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
  inLine(() => sendUndo(entry));
}

async function sendUndo(entry) {
  const { view, filter } = deck.dataset;
  const url = entry?.escalation || "/console/reviews/undo";
  const what = entry?.escalation ? { recall: "1" } : { decision: entry?.decision ?? "" };
  const reply = await post(formOf({ ...what, view, filter }), url).catch(() => null);
  if (!reply?.ok) {
    entry?.item.remove();
    if (items().length) show(current() ?? items()[0]);
    const text = reply
      ? parse(await reply.text()).textContent.trim()
      : "The server cannot be reached.";
    notice([words(text)], { wrong: true });
    return;
  }
  const reopened = [...parse(await reply.text()).querySelectorAll("[data-case]")];
  for (const fresh of reopened.reverse()) putFirst(fresh);
}
