// Focus stays where the work is: when a swap removes the element that has it, the same control of the
// new content gets it, or the first one there. Without this it falls to the body.
(() => {
  const CONTROLS =
    "a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary";
  let lost = null;

  const controls = (root) => [...(root?.querySelectorAll(CONTROLS) ?? [])];

  // Remembers which control of `root` has the focus, and where `root` is.
  function remember(root) {
    lost = null;
    if (!root?.contains(document.activeElement)) return;
    const focused = document.activeElement;
    lost = {
      root,
      id: focused.id,
      at: controls(root).indexOf(focused),
      parent: root.parentNode,
      before: root.previousElementSibling,
    };
  }

  function restore() {
    if (!lost) return;
    const { root, id, at, parent, before } = lost;
    lost = null;
    if (document.activeElement && document.activeElement !== document.body) return;
    const fresh = root.isConnected
      ? root
      : (before?.nextElementSibling ?? parent.firstElementChild);
    const all = controls(fresh);
    const target = (id && document.getElementById(id)) || all[at] || all[0];
    (target ?? document.getElementById("main"))?.focus({ preventScroll: true });
  }

  document.addEventListener("htmx:beforeSwap", (event) => remember(event.detail.target));
  document.addEventListener("htmx:afterSwap", restore);
  document.addEventListener("htmx:afterRequest", () => {
    lost = null; // the swap did not happen: an error, or nothing to show
  });
  document.addEventListener("htmx:sseBeforeMessage", (event) => remember(event.target));
  document.addEventListener("htmx:sseMessage", restore);
  window.sluice.keepFocus = (root, swap) => {
    remember(root);
    swap();
    restore();
  };
})();
