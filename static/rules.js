// Rules and known images: selecting rows, the address that follows the filter, refused changes.
(() => {
  const boxes = (form) => [...form.querySelectorAll("input[name=rule]")];

  function count(form) {
    const told = form.querySelector("[data-picked]");
    if (!told) return;
    const all = boxes(form);
    const picked = all.filter((box) => box.checked).length;
    told.textContent = picked ? `${picked} selected` : told.dataset.many;
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

  // The list says which address it has, so that the address and the exports follow the filter.
  function settle() {
    const list = document.querySelector("[data-address]");
    if (!list) return;
    if (list.matches("#rules")) count(list);
    for (const link of document.querySelectorAll("[data-export]")) {
      const shape = link.getAttribute("href").includes(".json") ? "json" : "csv";
      link.href = list.dataset[shape];
    }
  }
  settle();

  document.addEventListener("htmx:afterSwap", (event) => {
    settle();
    const list = document.querySelector("[data-address]");
    if (list && event.detail.requestConfig?.elt?.matches("[data-filters]")) {
      history.replaceState(null, "", list.dataset.address);
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const problem = page.querySelector("[data-problem]")?.textContent;
    window.sluice.notice([window.sluice.words(problem || "That did not work. Try it again.")], {
      wrong: true,
    });
  });
  document.addEventListener("htmx:sendError", () => {
    window.sluice.notice([window.sluice.words("The server cannot be reached. Try it again.")], {
      wrong: true,
    });
  });

  for (const note of document.querySelectorAll("#notices > .notice")) {
    if (!note.querySelector("form")) setTimeout(() => note.remove(), 8000);
  }
})();
