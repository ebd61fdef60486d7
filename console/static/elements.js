// Elements for what came from outside: written as text, never as markup.

export function element(name, content = "", className = "") {
  const made = document.createElement(name);
  made.append(typeof content === "string" ? clean(content) : content);
  if (className) made.className = className;
  return made;
}

/** Give the entries of a description list; those without a value are left out. */
export function definitions(entries) {
  const list = document.createElement("dl");
  for (const [term, value] of entries) if (value) list.append(element("dt", term), element("dd", value));
  return list;
}

/** Give a value as JSON that can be scrolled by keyboard. */
export function jsonBlock(value, label) {
  const block = element("pre", JSON.stringify(value, null, 2));
  block.tabIndex = 0;
  block.setAttribute("role", "region");
  block.setAttribute("aria-label", label);
  return block;
}

/** Replace what nobody can print: it could turn around or hide what stands beside it. */
function clean(text) {
  return text.replace(/[^\P{C}\n\t]/gu, "\uFFFD");
}
