// A group: keys to navigate and select, and one key that decides all selected flags. Only what was
// on screen is selected.
const { isTyping, keyOf } = window.sluice;
const grid = document.getElementById("group");
const form = grid.closest("form");
const label = document.getElementById("chosen");
const boxes = [...grid.querySelectorAll("input[type=checkbox]:not(:disabled)")];
const help = document.getElementById("help");
const areOn = document.body.dataset.keys !== "off";
const keyDelay = Number(grid.dataset.keyDelay) || 0; // ms
const seen = new Set();
const touched = new Set(); // selected or deselected by hand
let sent = false;

function count() {
  const chosen = boxes.filter((box) => box.checked).length;
  const unseen = boxes.length - seen.size;
  const more = unseen ? ` · ${unseen} not seen yet` : "";
  label.textContent = `${chosen} of ${boxes.length} selected${more}`;
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

// All that were on screen, or none.
function chooseAll() {
  const all = [...seen].every((box) => box.checked);
  for (const box of boxes) {
    box.checked = !all && seen.has(box);
    touched.add(box);
  }
  count();
}

// A tile counts as seen when most of it is above the bar with the verdicts.
function watchTiles() {
  const bar = document.querySelector(".group-verdict");
  const options = { threshold: 0.6, rootMargin: `0px 0px -${bar?.offsetHeight ?? 0}px 0px` };
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      const box = target.querySelector("input[type=checkbox]");
      watcher.unobserve(target);
      seen.add(box);
      if (!touched.has(box)) box.checked = true;
    }
    count();
  }, options);
  for (const box of boxes) watcher.observe(box.closest("li"));
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
  if (isTyping(event.target)) return;
  const key = keyOf(event);
  if (key === " ") {
    if (event.target.closest("button, a")) return;
    document.body.classList.add("revealed");
    event.preventDefault();
  } else if (key === "?") {
    help.showModal();
  } else if (MOVES[key] && (areOn || key.startsWith("arrow"))) {
    MOVES[key]();
    event.preventDefault();
  } else if (areOn && !event.repeat && /^[ar1-9]$/.test(key) && performance.now() > keyDelay) {
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
grid.addEventListener("change", (event) => {
  touched.add(event.target);
  seen.add(event.target);
  count();
});
// A second submit is ignored while the first request is pending.
form.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
watchTiles();
count();
