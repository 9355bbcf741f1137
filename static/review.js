// Review by keys. The next flag is in the page already: a decision shows it at once, and the
// request goes off behind it, one after the other. Without this script every form still works.
(() => {
  const { csrfToken, localTimes, notice, words } = window.sluice;
  const deck = document.getElementById("deck");
  const single = document.querySelector("[data-single]");
  const isList = deck?.dataset.view === "list";
  const GUARD = 150; // ms in which a second press is taken for the same one
  const next = document.getElementById("next"); // lives in the flag that is shown
  const recent = []; // what was decided here and can be undone, the newest last
  let line = Promise.resolve(); // requests leave one at a time, in the order of the decisions
  let waiting = 0;
  let decidedAt = 0;
  let activeAt = Date.now();

  const items = () => [...deck.querySelectorAll("[data-case]:not([data-gone])")];
  const current = () =>
    isList
      ? deck.querySelector(".row.focused:not([data-gone])")
      : deck.querySelector("[data-case]:not([hidden])");

  function show(item) {
    if (isList) {
      for (const row of deck.querySelectorAll(".focused")) row.classList.remove("focused");
      item?.classList.add("focused");
      item?.focus({ preventScroll: true });
      item?.scrollIntoView({ block: "nearest" });
    } else {
      for (const other of items()) other.hidden = other !== item;
      if (item) {
        if (!item.contains(document.activeElement)) item.focus({ preventScroll: true });
        item.querySelector(".case-side").scrollTop = 0;
        scrollTo({ top: 0 });
      }
    }
    frame();
  }

  // What stands around the flags: the empty state and those that come next.
  function frame() {
    const left = items();
    document.getElementById("empty").hidden = left.length > 0 || waiting > 0;
    const patience = document.getElementById("waiting");
    if (patience) patience.hidden = left.length > 0 || waiting === 0;
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

  // Have the pictures of what comes next decoded, so that showing them costs nothing.
  function ready(item) {
    for (const image of item.querySelectorAll("img")) image.decode?.().catch(() => {});
    localTimes(item);
  }

  function neighbour(item) {
    const all = items();
    const at = all.indexOf(item);
    return all[at + 1] ?? all[at - 1] ?? null;
  }

  function leave(item) {
    const after = neighbour(item);
    item.dataset.gone = "";
    item.hidden = true;
    show(after);
  }

  function bringBack(item) {
    delete item.dataset.gone;
    item.hidden = false;
    if (!isList) deck.prepend(item);
    show(item);
  }

  async function post(form, url, outcome, more = {}) {
    const body = new FormData(form);
    if (outcome) body.set("outcome", outcome);
    body.set("open", items().map((item) => item.dataset.id).join(","));
    return fetch(url, {
      method: "POST",
      body,
      headers: { "HX-Request": "true", "X-CSRFToken": csrfToken },
      ...more,
    });
  }

  function inLine(work) {
    waiting += 1;
    line = line.then(work).catch(console.error).finally(() => {
      waiting -= 1;
      frame();
    });
  }

  function parse(text) {
    const template = document.createElement("template");
    template.innerHTML = text;
    for (const id of ["segments", "today", "empty"]) {
      const fresh = template.content.querySelector(`#${id}`);
      if (fresh) document.getElementById(id)?.replaceWith(fresh);
    }
    return template.content;
  }

  function add(fresh) {
    for (const item of [...fresh.querySelectorAll("[data-case]")]) {
      if (document.getElementById(item.id)) continue;
      item.hidden = !isList;
      deck.append(item);
      ready(item);
    }
    if (!current() && items().length) show(items()[0]);
    frame();
  }

  // A decision or a skip: show the next flag, then tell the server.
  function act(form, button) {
    const now = performance.now();
    if (now - decidedAt < GUARD) return;
    decidedAt = now;
    const item = form.closest("[data-case]");
    const skips = "skip" in button.dataset;
    const url = skips ? button.formAction : form.action;
    const entry = { item, decision: null };
    leave(item);
    if (!skips) {
      recent.push(entry);
      entry.box = tell(item, button);
    }
    inLine(() => finish(form, url, skips ? "" : button.value, entry));
  }

  async function finish(form, url, outcome, entry) {
    let reply;
    try {
      reply = await post(form, url, outcome);
    } catch {
      failed(entry, "The server cannot be reached.", true);
      return;
    }
    if (!reply.ok) {
      const text = parse(await reply.text()).textContent.trim();
      failed(entry, text || `The server answered ${reply.status}.`, ![404, 409].includes(reply.status));
      return;
    }
    const fresh = parse(await reply.text());
    entry.decision = fresh.querySelector("[data-decision]")?.dataset.decision ?? null;
    if ("gone" in entry.item.dataset) entry.item.remove();
    add(fresh);
  }

  function failed(entry, text, comesBack) {
    entry.box?.remove();
    const at = recent.indexOf(entry);
    if (at >= 0) recent.splice(at, 1);
    const link = document.createElement("a");
    link.href = `/console/submissions/${entry.item.dataset.id}`;
    link.textContent = "Look at it";
    if (comesBack) bringBack(entry.item);
    else entry.item.remove();
    const told = comesBack ? `Not saved, it is back: ${text}` : `Not counted: ${text}`;
    notice(comesBack ? [words(told)] : [words(told), link], { seconds: 20, wrong: true });
  }

  // The notice with its undo and the seconds until the client is told.
  function tell(item, button) {
    const reason = button.dataset.reason ? ` · ${button.dataset.reason}` : "";
    const undo = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = "U";
    const seconds = words("");
    seconds.className = "seconds";
    undo.append(key, " undo, ", seconds);
    document.getElementById("notices").replaceChildren();
    const text = `${button.dataset.done} “${item.dataset.name}”${reason}`;
    const box = notice([words(text), undo], { seconds: 0 });
    let left = Number(deck.dataset.undo) || 10;
    const tick = () => {
      seconds.textContent = `${left} s`;
      if (left-- <= 0) {
        clearInterval(timer);
        box.remove();
      }
    };
    const timer = setInterval(tick, 1000);
    tick();
    undo.addEventListener("click", undoLast);
    return box;
  }

  function undoLast() {
    const now = performance.now();
    if (now - decidedAt < GUARD) return;
    decidedAt = now;
    document.getElementById("notices").replaceChildren();
    const entry = recent.pop() ?? null;
    if (entry) bringBack(entry.item);
    inLine(() => sendUndo(entry));
  }

  async function sendUndo(entry) {
    const form = document.createElement("form");
    const body = { decision: entry?.decision ?? "", view: deck.dataset.view, filter: deck.dataset.filter };
    for (const [name, value] of Object.entries(body)) {
      const input = document.createElement("input");
      input.name = name;
      input.value = value;
      form.append(input);
    }
    const reply = await post(form, "/console/reviews/undo").catch(() => null);
    if (!reply?.ok) {
      entry?.item.remove();
      if (items().length) show(current() ?? items()[0]);
      const text = reply ? parse(await reply.text()).textContent.trim() : "The server cannot be reached.";
      notice([words(text)], { wrong: true });
      return;
    }
    const fresh = parse(await reply.text()).querySelector("[data-case]");
    if (!fresh) return;
    const known = document.getElementById(fresh.id);
    if (known && "gone" in known.dataset) {
      // Decided again in the meantime: only the version is news.
      known.querySelector("[name=version]").value = fresh.querySelector("[name=version]").value;
      return;
    }
    if (known) known.replaceWith(fresh);
    else deck.prepend(fresh);
    ready(fresh);
    if (!known || entry) show(fresh);
  }

  async function fetchMore() {
    const reply = await fetch(location.href, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (reply?.ok) add(parse(await reply.text()));
  }

  function press(key) {
    const scope = deck ? current() : single;
    const button = scope?.querySelector(`button[data-key="${key}"]:not(:disabled)`);
    if (button && !("undo" in button.dataset)) button.click();
    return Boolean(button);
  }

  function move(by) {
    const all = items();
    const at = all.indexOf(current());
    const wanted = all[at < 0 ? 0 : at + by];
    if (wanted) show(wanted);
  }

  function turn(by) {
    const radios = [...((deck ? current() : single)?.querySelectorAll(".film input") ?? [])];
    const at = radios.findIndex((radio) => radio.checked);
    if (radios[at + by]) radios[at + by].checked = true;
  }

  const help = document.getElementById("help");
  const keysOn = document.getElementById("keys-on");
  if (keysOn) {
    keysOn.checked = localStorage.getItem("sluice-keys") !== "off";
    keysOn.addEventListener("change", () => {
      localStorage.setItem("sluice-keys", keysOn.checked ? "on" : "off");
    });
  }
  document.querySelector("[data-help]")?.addEventListener("click", () => help.showModal());

  const isTyping = (target) =>
    target.closest?.("input:not([type=radio]), textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    activeAt = Date.now();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.target) || help?.open) return;
    if (event.key === " ") {
      if (event.target.closest("button, a, summary, input")) return;
      document.body.classList.add("revealed");
      event.preventDefault();
      return;
    }
    if (event.repeat && !/^[jk]$|Arrow/.test(event.key)) return;
    if (event.key === "?" && help) return help.showModal();
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      if (event.target.closest("input")) return;
      return turn(event.key === "ArrowLeft" ? -1 : 1);
    }
    if (keysOn && !keysOn.checked) return;
    const key = event.key.toLowerCase();
    if (deck && (key === "j" || key === "k")) move(key === "j" ? 1 : -1);
    else if (deck && key === "u") undoLast();
    else if (/^[ars1-9]$/.test(key) && press(key)) event.preventDefault();
  });
  const hide = () => document.body.classList.remove("revealed");
  document.addEventListener("keyup", (event) => { if (event.key === " ") hide(); });
  addEventListener("blur", hide);

  document.addEventListener("pointerdown", (event) => {
    activeAt = Date.now();
    if (event.target.closest("figcaption")) return;
    event.target.closest?.(".picture")?.classList.add("held");
  });
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => {
      for (const picture of document.querySelectorAll(".held")) picture.classList.remove("held");
    });
  }
  document.addEventListener("contextmenu", (event) => {
    if (event.target.closest?.(".picture")) event.preventDefault();
  });
  document.addEventListener("pointermove", () => { activeAt = Date.now(); }, { passive: true });

  if (!deck) return;

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-decide]");
    const button = event.submitter;
    if (!form || !button || !deck.contains(form)) return;
    event.preventDefault();
    if ("undo" in button.dataset) undoLast();
    else act(form, button);
  });
  // A button that was clicked does not keep the focus: Space is for looking, not for deciding.
  deck.addEventListener("mousedown", (event) => {
    if (event.target.closest("[data-decide] button")) event.preventDefault();
  });
  // The second click of a double click would fall on the next flag.
  document.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest("[data-decide] button")) event.preventDefault();
  }, true);

  document.addEventListener("focusin", (event) => {
    const row = isList && event.target.closest(".row");
    if (!row || row.classList.contains("focused")) return;
    for (const other of deck.querySelectorAll(".focused")) other.classList.remove("focused");
    row.classList.add("focused");
  });

  // New flags come by themselves where there were none; whoever waits also asks every few
  // seconds: others' claims run out, and a flag that comes as one goes leaves the count as it was.
  if (!isList) {
    setInterval(() => {
      if (items().length === 0 && !document.hidden && waiting === 0) inLine(fetchMore);
    }, 5000);
  }
  document.addEventListener("htmx:sseMessage", (event) => {
    if (isList || event.detail.type !== "to-review") return;
    if (items().length === 0 && waiting === 0 && event.detail.data !== "0") inLine(fetchMore);
  });

  // Hold the claims while somebody is here; without activity they run out, and soon after
  // leaving. A page that was loaded anew holds them again at once.
  const lease = (Number(deck.dataset.lease) || 120) * 1000;
  const hold = (form) => {
    if (items().length === 0) return;
    post(form, "/console/reviews/hold", "", { keepalive: true }).catch(() => {});
  };
  if (!isList) {
    const stay = document.createElement("form");
    const leave = document.createElement("form");
    leave.append(Object.assign(document.createElement("input"), { name: "leaving", value: "1" }));
    setInterval(() => {
      if (!document.hidden && Date.now() - activeAt < lease) hold(stay);
    }, lease / 3);
    setTimeout(hold, 2000, stay);
    addEventListener("pagehide", () => hold(leave));
    addEventListener("pageshow", (event) => { if (event.persisted) hold(stay); });
  }

  for (const item of items()) ready(item);
  frame();
})();
