// The deck: the loaded flags, the one that is shown, and the frame around them.
import { firstMatch } from "./matches.js";

const { isTyping, keepFocus, localTimes } = window.sluice;

export const deck = document.getElementById("deck");
export const isList = deck?.dataset.view === "list";
const single = document.querySelector("[data-single]"); // the page of one submission
const next = document.getElementById("next"); // moved into the flag that is shown
const rotateAfter = Number(document.body.dataset.rotateAfter) || 0;
let hardInARow = Number(deck?.dataset.run) || 0;
const keyDelay = Number(deck?.dataset.keyDelay) || 0; // ms
let isBusy = () => false;
let shown = null; // the flag on screen, and since when (ms)
let shownAt = 0;

export const items = () => [...deck.querySelectorAll("[data-case]:not([data-gone])")];
export const current = () => {
  if (!deck) return single;
  return isList
    ? deck.querySelector(".row.focused:not([data-gone])")
    : deck.querySelector("[data-case]:not([hidden])");
};

export function whileBusy(check) {
  isBusy = check;
}

// Whether the flag has been on screen long enough for a key to decide it.
export function hasBeenSeen() {
  return performance.now() - shownAt >= keyDelay;
}

export function noteShown(item) {
  if (item === shown) return;
  shown = item;
  shownAt = performance.now();
}

document.addEventListener("visibilitychange", () => {
  shownAt = performance.now();
});

export function show(item) {
  cover();
  noteShown(item);
  if (isList) {
    for (const row of deck.querySelectorAll(".focused")) row.classList.remove("focused");
    item?.classList.add("focused");
    item?.focus({ preventScroll: true });
    item?.scrollIntoView({ block: "nearest" });
  } else {
    for (const other of items()) other.hidden = other !== item;
    if (item) {
      const active = document.activeElement;
      if (!item.contains(active) && !isTyping(active)) item.focus({ preventScroll: true });
      item.querySelector(".case-side").scrollTop = 0;
      scrollTo({ top: 0 });
      firstMatch(item);
    }
  }
  frame();
}

// Covers all pictures again before another flag is shown.
export function cover() {
  document.body.classList.remove("revealed", "heat-on");
  for (const picture of document.querySelectorAll(".held")) picture.classList.remove("held");
}

// Updates the empty state and the list of the next flags.
export function frame() {
  const left = items();
  const empty = document.getElementById("empty");
  empty.hidden = left.length > 0 || isBusy();
  const isLost = !document.activeElement || document.activeElement === document.body;
  if (!empty.hidden && isLost) empty.focus({ preventScroll: true });
  const waiting = document.getElementById("waiting");
  if (waiting) waiting.hidden = left.length > 0 || !isBusy();
  if (!next) return;
  const others = left.filter((item) => item.hidden).slice(0, 5);
  (current()?.querySelector(".case-main") ?? deck.parentNode).append(next);
  next.hidden = others.length === 0;
  next.querySelector(".next-list").replaceChildren(...others.map(nextButton));
}

function nextButton(item) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = item.dataset.name;
  button.setAttribute("aria-label", `Go to ${item.dataset.name}`);
  if (item.dataset.thumb) {
    const image = new Image();
    image.src = item.dataset.thumb;
    image.alt = "";
    button.append(image);
  } else {
    button.textContent = "Aa";
  }
  button.addEventListener("click", () => show(item));
  return button;
}

// Decodes the pictures of a flag in advance, so that it is shown without delay.
export function ready(item) {
  for (const image of item.querySelectorAll("img:not(.heat)")) image.decode?.().catch(() => {});
  localTimes(item);
  window.htmx?.process(item);
}

// The flag to show next; after `rotateAfter` hard pictures in a row, a text if there is one.
function neighbour(item) {
  const all = items();
  const at = all.indexOf(item);
  const others = all.filter((other) => other !== item);
  if (!isList && rotateAfter && hardInARow >= rotateAfter) {
    const text = others.find((other) => "text" in other.dataset);
    if (text) return text;
  }
  return all[at + 1] ?? all[at - 1] ?? null;
}

export function leave(item, decided) {
  if (decided) hardInARow = "hard" in item.dataset ? hardInARow + 1 : 0;
  const after = neighbour(item);
  item.dataset.gone = "";
  item.hidden = true;
  show(after);
}

export function bringBack(item) {
  delete item.dataset.gone;
  item.hidden = false;
  if (!isList) deck.prepend(item);
  show(item);
}

export function move(by) {
  const all = items();
  const at = all.indexOf(current());
  const target = all[at < 0 ? 0 : at + by];
  if (target) show(target);
}

// Parses a response; parts of the page that it contains besides flags are replaced.
export function parse(text) {
  const template = document.createElement("template");
  template.innerHTML = text;
  for (const id of ["segments", "today", "empty"]) {
    const fresh = template.content.querySelector(`#${id}`);
    const old = document.getElementById(id);
    if (fresh && old) keepFocus(old, () => old.replaceWith(fresh));
  }
  return template.content;
}

export function add(fresh) {
  for (const item of [...fresh.querySelectorAll("[data-case]")]) {
    if (document.getElementById(item.id)) continue;
    item.hidden = !isList;
    deck.append(item);
    ready(item);
  }
  if (!current() && items().length) show(items()[0]);
  frame();
}

export function putFirst(fresh) {
  const existing = document.getElementById(fresh.id);
  if (existing && "gone" in existing.dataset) {
    // Decided again in the meantime: only the version has changed.
    existing.querySelector("[name=version]").value = fresh.querySelector("[name=version]").value;
    return;
  }
  if (existing) existing.replaceWith(fresh);
  else deck.prepend(fresh);
  ready(fresh);
  show(fresh);
}
