// Matches in the text of a flag: the first is scrolled into view, M goes to the next.
const marksOf = (item) => [...(item?.querySelectorAll(".text mark") ?? [])];

function reveal(mark) {
  const box = mark.closest(".description");
  if (box) box.scrollTop = mark.offsetTop - (box.clientHeight - mark.offsetHeight) / 2;
  mark.scrollIntoView({ block: "nearest" }); // the page; the margins of `mark` keep bars off it
}

// The first match that asks for something; a match of an exception can wait.
export function firstMatch(item) {
  const marks = marksOf(item);
  for (const mark of marks) mark.classList.remove("current");
  const first = marks.find((mark) => !mark.classList.contains("allow"));
  if (first) reveal(first);
}

export function nextMatch(item) {
  const marks = marksOf(item);
  if (marks.length === 0) return;
  const at = marks.findIndex((mark) => mark.classList.contains("current"));
  const next = marks[(at + 1) % marks.length];
  marks[at]?.classList.remove("current");
  next.classList.add("current");
  reveal(next);
}
