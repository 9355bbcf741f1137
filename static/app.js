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

window.sluice = { csrfToken, localTimes, notice, words };

document.addEventListener("htmx:sseMessage", (event) => {
  if (event.detail.type !== "signed-out") return;
  const link = document.createElement("a");
  link.href = "/console/sign-in";
  link.textContent = "Sign in";
  notice([words("Your session has ended."), link], { seconds: 0, wrong: true });
});

// "/" focuses the search box in the top strip, unless the focus is in a text field.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select")) return;
  if (document.querySelector("dialog[open]")) return;
  const box = document.getElementById("search");
  if (!box) return;
  event.preventDefault();
  box.select();
});
