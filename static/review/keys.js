// Keyboard shortcuts: ignored in text fields and with Ctrl, Alt or Cmd; they can be turned off.

import { undoLast } from "./decide.js";
import { current, deck, hasBeenSeen, move } from "./deck.js";
import { toggleGrid, toggleHeat, turn, uncover } from "./looking.js";
import { nextMatch } from "./matches.js";
import { toggleZoom } from "./zoom.js";

const { isTyping, keyOf } = window.sluice;
const help = document.getElementById("help");
const box = document.getElementById("keys-on");
const allowed = document.body.dataset.keys !== "off";

const areOn = () => allowed && (!box || box.checked);

// Presses the button of a key. A flag that has just appeared is not decided: the press was meant for
// the one before.
export function press(key) {
  if (deck && !hasBeenSeen()) return true;
  const button = current()?.querySelector(`button[data-key="${key}"]:not(:disabled)`);
  if (button && !("undo" in button.dataset)) button.click();
  return Boolean(button);
}

const MOVES = {
  j: () => move(1),
  k: () => move(-1),
  u: undoLast,
};
const LOOKS = {
  h: toggleHeat,
  v: toggleGrid,
  z: () => toggleZoom(),
  m: () => nextMatch(current()),
  g: () => current()?.querySelector("[data-group]")?.click(),
  arrowleft: () => turn(-1),
  arrowright: () => turn(1),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === " ") {
    if (event.target.closest("button, a, summary, input")) return;
    if (!event.repeat) uncover(true);
    event.preventDefault();
    return;
  }
  const key = keyOf(event);
  if (event.repeat && !/^[jk]$|^arrow/.test(key)) return;
  if (key === "?" && help) return help.showModal();
  if (key.startsWith("arrow") && event.target.closest("input")) return;
  if (!key.startsWith("arrow") && !areOn()) return;
  if (LOOKS[key]) LOOKS[key]();
  else if (deck && MOVES[key]) MOVES[key]();
  else if (/^[arsbe1-9]$/.test(key) && press(key)) event.preventDefault();
}

export function watchKeys() {
  if (box) {
    box.checked = allowed && localStorage.getItem("sluice-keys") !== "off";
    box.disabled = !allowed;
    box.addEventListener("change", () => {
      localStorage.setItem("sluice-keys", box.checked ? "on" : "off");
    });
  }
  document.querySelector("[data-help]")?.addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", pressed);
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") uncover(false);
  });
}
