// Device parameters while they are being typed: the server shows how the page of a device asks for them.

import { askLater } from "./asking.js";

export function previewParameters(part) {
  const preview = part.querySelector("[data-preview]");
  const form = part.closest("form");

  function ask() {
    const fields = [...new FormData(form)].filter(([name]) => name === "form_token" || name.startsWith("parameter_"));
    return fetch("/parameters", { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  }

  function show(text) {
    preview.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
  }

  const later = askLater(ask, (response) => response.text(), show);
  part.addEventListener("input", (event) => {
    if (!preview.contains(event.target)) later(); // what is chosen in the preview is for trying it
  });
}
