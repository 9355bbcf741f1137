// A group: keys to navigate and select, and one key that decides all selected flags.
const grid = document.getElementById("group");
const form = grid.closest("form");
const label = document.getElementById("chosen");
const boxes = [...grid.querySelectorAll("input[type=checkbox]:not(:disabled)")];
const help = document.getElementById("help");
const areOn = document.body.dataset.keys !== "off";
let sent = false;

function count() {
  const chosen = boxes.filter((box) => box.checked).length;
  label.textContent = `${chosen} of ${boxes.length} selected`;
  for (const button of form.querySelectorAll("button[data-key]")) button.disabled = chosen === 0;
}

function columns() {
  const top = boxes[0]?.closest("li").offsetTop;
  return boxes.filter((box) => box.closest("li").offsetTop === top).length || 1;
}

function go(by) {
  const at = boxes.indexOf(document.activeElement);
  const target = boxes[at < 0 ? 0 : Math.min(Math.max(at + by, 0), boxes.length - 1)];
  target?.focus();
  target?.closest("li").scrollIntoView({ block: "nearest" });
}

function chooseAll() {
  const all = boxes.every((box) => box.checked);
  for (const box of boxes) box.checked = !all;
  count();
}

const MOVES = {
  j: () => go(1),
  k: () => go(-1),
  arrowright: () => go(1),
  arrowleft: () => go(-1),
  arrowdown: () => go(columns()),
  arrowup: () => go(-columns()),
  n: chooseAll,
  x: () => boxes.includes(document.activeElement) && document.activeElement.click(),
  escape: () => document.querySelector("[data-back]").click(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help?.open) return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea, select")) return;
  const key = event.key.toLowerCase();
  if (key === " ") {
    if (event.target.closest("button, a")) return;
    document.body.classList.add("revealed");
    event.preventDefault();
  } else if (key === "?") {
    help.showModal();
  } else if (MOVES[key] && (areOn || key.startsWith("arrow"))) {
    MOVES[key]();
    event.preventDefault();
  } else if (areOn && !event.repeat && /^[ar1-9]$/.test(key)) {
    form.querySelector(`button[data-key="${key}"]:not(:disabled)`)?.click();
  }
});
const hide = () => document.body.classList.remove("revealed");
document.addEventListener("keyup", (event) => {
  if (event.key === " ") hide();
});
addEventListener("blur", hide);
addEventListener("pageshow", () => {
  sent = false;
});
document.querySelector("[data-help]")?.addEventListener("click", () => help.showModal());
document.querySelector("[data-all]").addEventListener("click", chooseAll);
grid.addEventListener("change", count);
// A second submit is ignored while the first request is pending.
form.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
count();
