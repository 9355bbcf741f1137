// Review. The next flag is already loaded: a decision shows it immediately and the request is sent
// in the background. Without this script every form still works.
import { watchClaims } from "./claims.js";
import { act, undoLast } from "./decide.js";
import { current, deck, frame, isList, items, noteShown, ready } from "./deck.js";
import { watchKeys } from "./keys.js";
import { watchLooking } from "./looking.js";
import { firstMatch } from "./matches.js";
import { watchSwipes } from "./swipe.js";
import { watchZoom } from "./zoom.js";

watchKeys();
watchLooking();
watchZoom();
if (deck) {
  watchForms();
  watchClaims();
  watchSwipes();
  for (const item of items()) ready(item);
  frame();
  noteShown(current());
}
if (!isList && !location.hash) firstMatch(current());

function watchForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-decide]");
    const button = event.submitter;
    if (!form || !button || !deck.contains(form) || button.name === "recall") return;
    event.preventDefault();
    if ("undo" in button.dataset) undoLast();
    else act(form, button);
  });
  // A clicked button must not keep the focus: Space would press it again instead of uncovering.
  deck.addEventListener("mousedown", (event) => {
    if (event.target.closest("[data-decide] button")) event.preventDefault();
  });
  // The second click of a double click would hit the next flag.
  document.addEventListener(
    "click",
    (event) => {
      if (event.detail > 1 && event.target.closest("[data-decide] button")) event.preventDefault();
    },
    true,
  );
  document.addEventListener("focusin", (event) => {
    const row = isList && event.target.closest(".row");
    if (!row || row.classList.contains("focused")) return;
    for (const other of deck.querySelectorAll(".focused")) other.classList.remove("focused");
    row.classList.add("focused");
    noteShown(row);
  });
}
