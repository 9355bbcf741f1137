// Swipes on a phone: right approves, left rejects with the suggested reason; the notice has undo.
import { current, isList } from "./deck.js";
import { press } from "./keys.js";

const START = 14; // px: a longer horizontal move is a swipe, not a tap
const ENOUGH = 96; // px: a longer swipe decides on release
let swipe = null;

function begin(event) {
  if (event.pointerType !== "touch" || !event.isPrimary) return;
  const item = current();
  if (!item || !event.target.closest(".case-main") || event.target.closest(".film-row, a, button"))
    return;
  swipe = { item, x: event.clientX, y: event.clientY, on: false };
}

function drag(event) {
  if (!swipe || !event.isPrimary) return;
  const dx = event.clientX - swipe.x;
  const dy = event.clientY - swipe.y;
  if (!swipe.on) {
    if (Math.abs(dy) > START && Math.abs(dy) > Math.abs(dx)) swipe = null;
    else if (Math.abs(dx) > START) swipe.on = true;
    if (!swipe?.on) return;
    for (const picture of document.querySelectorAll(".held")) picture.classList.remove("held");
  }
  swipe.item.style.transform = `translateX(${dx}px)`;
  swipe.item.dataset.swipe = Math.abs(dx) < ENOUGH ? "" : dx > 0 ? "approve" : "reject";
}

function end(event) {
  if (!swipe) return;
  const { item, x, on } = swipe;
  swipe = null;
  item.style.transform = "";
  delete item.dataset.swipe;
  const dx = event.clientX - x;
  if (on && event.type === "pointerup" && Math.abs(dx) >= ENOUGH) press(dx > 0 ? "a" : "r");
}

export function watchSwipes() {
  if (isList) return;
  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", drag, { passive: true });
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
}
