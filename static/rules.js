// Rules and known images: row selection, the URL of the filter, messages for refused changes.
(() => {
  const boxes = (form) => [...form.querySelectorAll("input[name=rule]")];

  function count(form) {
    const label = form.querySelector("[data-picked]");
    if (!label) return;
    const all = boxes(form);
    const picked = all.filter((box) => box.checked).length;
    label.textContent = picked ? `${picked} selected` : label.dataset.many;
    for (const button of form.querySelectorAll(".rules-bulk button")) button.disabled = !picked;
    const head = form.querySelector("[data-pick-all]");
    head.checked = picked > 0 && picked === all.length;
    head.indeterminate = picked > 0 && picked < all.length;
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest("#rules");
    if (!form) return;
    if (event.target.matches("[data-pick-all]")) {
      for (const box of boxes(form)) box.checked = event.target.checked;
    }
    count(form);
  });

  // The list carries the URLs of its filter; the export links are updated from it.
  function followFilter() {
    const list = document.querySelector("[data-address]");
    if (!list) return;
    if (list.matches("#rules")) count(list);
    for (const link of document.querySelectorAll("[data-export]")) {
      const shape = link.getAttribute("href").includes(".json") ? "json" : "csv";
      link.href = list.dataset[shape];
    }
  }
  followFilter();

  document.addEventListener("htmx:afterSwap", (event) => {
    followFilter();
    const list = document.querySelector("[data-address]");
    if (list && event.detail.requestConfig?.elt?.matches("[data-filters]")) {
      history.replaceState(null, "", list.dataset.address);
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const problem = page.querySelector("[data-problem]")?.textContent;
    window.sluice.notice([window.sluice.words(problem || "The change failed. Try again.")], {
      wrong: true,
    });
  });
  document.addEventListener("htmx:sendError", () => {
    window.sluice.notice([window.sluice.words("The server does not respond. Try again.")], {
      wrong: true,
    });
  });

  for (const note of document.querySelectorAll("#notices > .notice")) {
    if (!note.querySelector("form")) setTimeout(() => note.remove(), 8000);
  }
})();
