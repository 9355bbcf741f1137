// Used by every page of the console: CSRF for htmx, local times, connection state, notices.
document.documentElement.classList.add("scripted");

const csrfToken = document.querySelector("meta[name=csrf-token]").content;
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = csrfToken;
});

function localTimes(root) {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    const recent = at.toDateString() === today;
    const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (recent && time.dataset.kind !== "since") shape.second = "2-digit";
    const clock = at.toLocaleTimeString("en-GB", shape);
    const day = at.toLocaleDateString("en-GB", { day: "2-digit", month: "short" });
    time.textContent = recent ? clock : `${day} ${clock}`;
    time.title = at.toLocaleString();
    time.dataset.local = "";
  }
}
localTimes(document);
document.addEventListener("htmx:load", (event) => localTimes(event.target));

let connectionTimer = null;
const connection = document.getElementById("connection");
document.addEventListener("htmx:sseOpen", () => {
  clearTimeout(connectionTimer);
  connectionTimer = null;
  if (connection) connection.hidden = true;
});
document.addEventListener("htmx:sseError", () => {
  connectionTimer ??= setTimeout(() => {
    if (connection) connection.hidden = false;
  }, 3000);
});

// Shows a notice at the bottom of the page for `seconds`; 0 keeps it.
function notice(parts, { seconds = 8, wrong = false } = {}) {
  const box = document.createElement("div");
  box.className = wrong ? "notice wrong" : "notice";
  box.append(...parts);
  const shelf = document.getElementById("notices");
  shelf.append(box);
  while (shelf.children.length > 3) shelf.firstElementChild.remove();
  if (seconds) setTimeout(() => box.remove(), seconds * 1000);
  return box;
}

function words(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}

// The key of a press, in lower case: the character, or, where it is no Latin letter or digit (other
// layouts), what a US keyboard has at that place. With Shift only the character counts.
function keyOf({ key, code, shiftKey }) {
  if (key.length > 1 || shiftKey || /^[a-z0-9]$/i.test(key)) return key.toLowerCase();
  return /^(?:Key|Digit)([A-Z0-9])$/.exec(code)?.[1].toLowerCase() ?? key;
}

// Whether the person types there, so that keys are no commands.
function isTyping(element) {
  const fields = "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]";
  return Boolean(element?.closest?.(fields));
}

window.sluice = { csrfToken, isTyping, keyOf, localTimes, notice, words };

document.addEventListener("htmx:sseMessage", (event) => {
  if (event.detail.type !== "signed-out") return;
  const link = document.createElement("a");
  link.href = "/console/sign-in";
  link.textContent = "Sign in";
  notice([words("Your session has ended."), link], { seconds: 0, wrong: true });
});

// "/" focuses the search box in the top strip, unless the focus is in a text field; Esc leaves it.
let cameFrom = null;
document.addEventListener("keydown", (event) => {
  const box = document.getElementById("search");
  if (!box || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && event.target === box) {
    box.blur();
    if (cameFrom?.isConnected) cameFrom.focus({ preventScroll: true });
  }
  if (event.key !== "/" || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  event.preventDefault();
  cameFrom = document.activeElement;
  box.select();
});
