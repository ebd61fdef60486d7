// A field map while it is being typed: the server says at once what would become of the uplink by it, as it does for
// whoever sends the form.

import { askLater } from "./asking.js";
import { localTimes } from "./times.js";

export function tryWhileTyping(form) {
  const result = document.getElementById(form.dataset.try);

  function ask() {
    return fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
  }

  function show(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    result.replaceChildren(...page.getElementById(result.id).childNodes);
    localTimes(result);
    result.removeAttribute("aria-busy");
  }

  function fail() {
    result.textContent = "This map was not tried: the console does not answer, or the session has ended.";
    result.removeAttribute("aria-busy");
  }

  const later = askLater(ask, (response) => response.text(), show, fail);
  form.addEventListener("input", () => {
    result.setAttribute("aria-busy", "true"); // what stands there is of the map before
    later();
  });
}
