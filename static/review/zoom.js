// Zoom: the picture that is shown, enlarged. Wheel, pinch and keys zoom; dragging and arrows move.
import { current } from "./deck.js";

const { keyOf } = window.sluice;
const dialog = document.getElementById("zoom");
const stage = dialog?.querySelector(".zoom-stage");
const image = stage?.querySelector("img");
const STEP = 1.25;
const MOST = 8; // times its own size
const TALL = 2.2; // times as high as wide: a screenshot of a long page, which is fitted by its width
const view = { scale: 1, x: 0, y: 0 };
const pointers = new Map();
let isDragged = false;

const size = () => [image.naturalWidth || 1, image.naturalHeight || 1];

// The scale at which all of it is visible; of a tall screenshot, its whole width.
function fitting() {
  const [width, height] = size();
  const across = stage.clientWidth / width;
  const down = stage.clientHeight / height;
  return Math.min(1, height / width > TALL ? across : Math.min(across, down));
}

// Centred where it is smaller than the stage, else without a gap at its sides.
function inside(offset, whole, length) {
  return length <= whole ? (whole - length) / 2 : Math.min(0, Math.max(whole - length, offset));
}

function paint() {
  const [width, height] = size();
  view.x = inside(view.x, stage.clientWidth, width * view.scale);
  view.y = inside(view.y, stage.clientHeight, height * view.scale);
  image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  dialog.querySelector(".zoom-scale").textContent = `${Math.round(view.scale * 100)} %`;
}

function zoomTo(scale, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const [width, height] = size();
  const least = Math.min(1, stage.clientWidth / width, stage.clientHeight / height);
  const next = Math.min(MOST, Math.max(least, scale));
  view.x = x - ((x - view.x) * next) / view.scale;
  view.y = y - ((y - view.y) * next) / view.scale;
  view.scale = next;
  paint();
}

function toggleSize(x, y) {
  const fit = fitting();
  zoomTo(Math.abs(view.scale - fit) < 0.01 ? Math.max(1, fit * 2) : fit, x, y);
}

function pan(x, y) {
  view.x += x;
  view.y += y;
  paint();
}

function open(figure) {
  const preview = figure.querySelector(".shown").src;
  image.onload = () => {
    Object.assign(view, { scale: fitting(), x: 0, y: 0 });
    image.hidden = false;
    paint();
  };
  image.onerror = () => {
    if (image.src !== preview)
      image.src = preview; // the original is deleted before the preview
    else dialog.querySelector(".zoom-note").hidden = false;
  };
  image.hidden = true;
  dialog.querySelector(".zoom-note").hidden = true;
  dialog.querySelector(".zoom-name").textContent = `Picture ${figure.dataset.number}`;
  dialog.showModal();
  image.src = new URL(figure.dataset.large, location.href).href;
}

export function toggleZoom(figure) {
  if (!dialog) return;
  if (dialog.open) return dialog.close();
  const shown = [...(current()?.querySelectorAll(".picture[data-large]") ?? [])];
  const chosen = figure ?? shown.find((one) => one.checkVisibility());
  if (chosen) open(chosen);
}

const KEYS = {
  "+": () => zoomTo(view.scale * STEP),
  "=": () => zoomTo(view.scale * STEP),
  "-": () => zoomTo(view.scale / STEP),
  0: () => toggleSize(),
  arrowleft: () => pan(80, 0),
  arrowright: () => pan(-80, 0),
  arrowup: () => pan(0, 80),
  arrowdown: () => pan(0, -80),
  pageup: () => pan(0, stage.clientHeight * 0.9),
  pagedown: () => pan(0, -stage.clientHeight * 0.9),
  home: () => pan(0, Number.MAX_SAFE_INTEGER),
  end: () => pan(0, -Number.MAX_SAFE_INTEGER),
  z: () => dialog.close(),
};

function drag(event) {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  isDragged = true;
  const others = [...pointers.entries()].filter(([id]) => id !== event.pointerId);
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  if (others.length === 0) return pan(event.clientX - before.x, event.clientY - before.y);
  const [, other] = others[0];
  const box = stage.getBoundingClientRect();
  const apart = (at) => Math.hypot(at.x - other.x, at.y - other.y) || 1;
  const factor = apart({ x: event.clientX, y: event.clientY }) / apart(before);
  const middle = [
    (event.clientX + other.x) / 2 - box.left,
    (event.clientY + other.y) / 2 - box.top,
  ];
  zoomTo(view.scale * factor, ...middle);
}

function watchPointers() {
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    isDragged = false;
  });
  stage.addEventListener("pointermove", drag);
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  stage.addEventListener("dblclick", (event) => {
    if (!isDragged) toggleSize(event.offsetX, event.offsetY);
  });
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      const factor = event.deltaY < 0 ? STEP : 1 / STEP;
      zoomTo(view.scale * factor, event.clientX - box.left, event.clientY - box.top);
    },
    { passive: false },
  );
}

export function watchZoom() {
  if (!dialog) return;
  watchPointers();
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[/^[-+=0]$/.test(event.key) ? event.key : keyOf(event)];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // so that the same press does not open it again
    act();
  });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if ("close" in button.dataset) dialog.close();
    else if (button.dataset.by === "0") toggleSize();
    else zoomTo(view.scale * STEP ** Number(button.dataset.by));
  });
  dialog.addEventListener("close", () => {
    image.onerror = null;
    image.removeAttribute("src");
    pointers.clear();
  });
  addEventListener("resize", () => dialog.open && paint());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom]");
    if (button) toggleZoom(button.closest(".picture"));
  });
}
