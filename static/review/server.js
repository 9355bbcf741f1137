// Sends requests one at a time, in the order of the decisions; the page does not wait for them.
import { frame, items, whileBusy } from "./deck.js";

const { csrfToken } = window.sluice;
let queue = Promise.resolve();
let waiting = 0;

whileBusy(() => waiting > 0);

export const isWaiting = () => waiting > 0;

export async function post(form, url, outcome = "", more = {}) {
  const body = new FormData(form);
  if (outcome) body.set("outcome", outcome);
  body.set(
    "open",
    items()
      .map((item) => item.dataset.id)
      .join(","),
  );
  return fetch(url, {
    method: "POST",
    body,
    headers: { "HX-Request": "true", "X-CSRFToken": csrfToken },
    ...more,
  });
}

export function enqueue(work) {
  waiting += 1;
  queue = queue
    .then(work)
    .catch(console.error)
    .finally(() => {
      waiting -= 1;
      frame();
    });
}

export function formOf(values) {
  const form = document.createElement("form");
  for (const [name, value] of Object.entries(values)) {
    form.append(Object.assign(document.createElement("input"), { name, value }));
  }
  return form;
}
