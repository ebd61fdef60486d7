// A serial while it is being typed: its case is forced, the hyphens of its format come by themselves, and the server
// says what it makes of it. Whether it fits is the server's alone to say (common/serial.py), so that the page cannot
// think otherwise.

import { askLater } from "./asking.js";

export function previewSerials(part) {
  const typed = part.querySelector("[data-serial]") ?? part.querySelector("[name=serie_number]");
  const verdict = part.querySelector("[data-verdict]");
  const example = part.querySelector("[data-example]");
  const mask = part.querySelector("[name=serial_mask]");
  const force = part.querySelector("[name=serial_case]");
  const rule = () => ({ mask: mask?.value ?? part.dataset.mask ?? "", case: force?.value ?? part.dataset.case ?? "" });

  function ask() {
    const query = new URLSearchParams({ ...rule(), serial: typed.value });
    return fetch(`/serial?${query}`, { redirect: "manual" });
  }

  function show(preview) {
    if (example) example.textContent = preview.example;
    verdict.textContent = preview.problem || (preview.stored ? `Stored as ${preview.stored}` : "");
    verdict.classList.toggle("fault", Boolean(preview.problem));
    verdict.classList.toggle("good", !preview.problem && Boolean(preview.stored));
  }

  function forceCase() {
    const forced = { upper: typed.value.toUpperCase(), lower: typed.value.toLowerCase() }[rule().case];
    if (forced === undefined || forced === typed.value || forced.length !== typed.value.length) return;
    const { selectionStart, selectionEnd } = typed;
    typed.value = forced;
    typed.setSelectionRange(selectionStart, selectionEnd);
  }

  /** Put the hyphens where the format has them, as long as something is added at the end. */
  function placeHyphens(event) {
    const atEnd = typed.selectionStart === typed.value.length;
    if (!rule().mask.includes("-") || !atEnd || event.inputType?.startsWith("delete")) return;
    typed.value = placeAll(typed.value.replaceAll("-", ""), rule().mask);
  }

  const later = askLater(ask, (response) => response.json(), show);
  typed.addEventListener("input", (event) => {
    forceCase();
    placeHyphens(event);
    later();
  });
  mask?.addEventListener("input", later);
  force?.addEventListener("change", later);
}

/** Lay characters out along a format; what goes beyond it follows as it is. */
function placeAll(characters, mask) {
  const rest = [...characters];
  let placed = "";
  for (const slot of mask) {
    if (!rest.length) break;
    placed += slot === "-" ? "-" : rest.shift();
  }
  return placed + rest.join("");
}
