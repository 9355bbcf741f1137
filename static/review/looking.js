// Viewing: hold a picture or Space to uncover it; switch frames, grid and heatmap.
import { current } from "./deck.js";
import { nextMatch } from "./matches.js";

const { body } = document;
const clicks = body.dataset.reveal === "click";

export function uncover(on) {
  if (clicks) {
    if (on) body.classList.toggle("revealed");
  } else {
    body.classList.toggle("revealed", on);
  }
}

export function turn(by) {
  const radios = [...(current()?.querySelectorAll(".film input") ?? [])];
  const at = radios.findIndex((radio) => radio.checked);
  if (radios[at + by]) {
    radios[at + by].checked = true;
    radios[at + by].parentNode.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (body.classList.contains("heat-on")) requestHeat();
  }
}

export function toggleGrid() {
  const pictures = current()?.querySelector(".pictures");
  const button = pictures?.querySelector("[data-grid]");
  if (!button) return;
  const isGrid = pictures.classList.toggle("as-grid");
  button.setAttribute("aria-pressed", String(isGrid));
  // In the grid no picture is chosen: the block form is sent without one.
  const form = `verdict-${current().dataset.id}`;
  for (const radio of pictures.querySelectorAll(".film input")) {
    radio.setAttribute("form", isGrid ? "" : form);
  }
}

export function toggleHeat() {
  if (body.classList.toggle("heat-on")) requestHeat();
}

// The placeholder of a missing heatmap requests it.
function requestHeat() {
  for (const placeholder of current()?.querySelectorAll(".heat-placeholder") ?? []) {
    if (placeholder.checkVisibility()) window.htmx.trigger(placeholder, "heat");
  }
}

export function watchLooking() {
  document.addEventListener("pointerdown", (event) => {
    if (event.target.closest("figcaption, a, button")) return;
    const picture = event.target.closest?.(".picture");
    if (clicks) picture?.classList.toggle("held");
    else picture?.classList.add("held");
  });
  if (!clicks) {
    for (const end of ["pointerup", "pointercancel"]) {
      document.addEventListener(end, () => {
        for (const picture of document.querySelectorAll(".held")) picture.classList.remove("held");
      });
    }
    addEventListener("blur", () => body.classList.remove("revealed"));
  }
  document.addEventListener("contextmenu", (event) => {
    if (event.target.closest?.(".picture")) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-grid]")) toggleGrid();
    if (event.target.closest("[data-match]")) nextMatch(current());
    if (event.target.closest("[data-heat]")) {
      event.preventDefault();
      toggleHeat();
    }
  });
}
