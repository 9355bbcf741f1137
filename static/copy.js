// Copy buttons, shown only if the clipboard is available.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  const words = button.querySelector("span");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    words.textContent = "Copied";
    setTimeout(() => {
      words.textContent = "Copy";
    }, 2000);
  });
}
