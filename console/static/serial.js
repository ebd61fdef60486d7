// A serial while it is being typed: its case is forced, and the server says what it makes of it. The rule itself is
// the server's alone (common/serial.py), so that the page cannot think otherwise.

const PAUSE = 150; // milliseconds without a key before the server is asked

export function previewSerials(part) {
  const typed = part.querySelector("[data-serial]") ?? part.querySelector("[name=serie_number]");
  const verdict = part.querySelector("[data-verdict]");
  const example = part.querySelector("[data-example]");
  const mask = part.querySelector("[name=serial_mask]");
  const force = part.querySelector("[name=serial_case]");
  const rule = () => ({ mask: mask?.value ?? part.dataset.mask ?? "", case: force?.value ?? part.dataset.case ?? "" });
  let timer = 0;
  let asked = 0;

  async function ask() {
    const number = ++asked;
    const query = new URLSearchParams({ ...rule(), serial: typed.value });
    const response = await fetch(`/serial?${query}`, { redirect: "manual" }).catch(() => null);
    if (!response?.ok || number !== asked) return; // another question is on its way
    const preview = await response.json();
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

  function later() {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  }

  typed.addEventListener("input", () => {
    forceCase();
    later();
  });
  mask?.addEventListener("input", later);
  force?.addEventListener("change", later);
}
