// What pages do beyond links and forms. Each part looks for its own mark, and a page works without any of them,
// but for what is live. Whatever came from outside is written as text, never as markup.

import { followEvents } from "./live.js";
import { previewParameters } from "./parameters.js";
import { previewSerials } from "./serial.js";
import { localTimes } from "./times.js";
import { tryWhileTyping } from "./trying.js";

document.documentElement.classList.add("scripted");

/** Put in again and again what changes of a page, while somebody looks at it. */
function refresh(part) {
  const seconds = Number(part.dataset.seconds);
  setInterval(async () => {
    if (document.hidden) return;
    const response = await fetch(part.dataset.refresh, { redirect: "manual" }).catch(() => null);
    if (!response) return;
    if (response.type === "opaqueredirect") return location.reload(); // signed out
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    part.replaceChildren(...fresh.body.childNodes);
    localTimes(part);
  }, seconds * 1000);
}

/** Follow a replay or a purge to its end. */
async function followProgress(part) {
  const bar = part.querySelector("progress");
  const status = part.querySelector("[role=status]");
  for (let over = Object.hasOwn(part.dataset, "over"); !over; ) {
    await new Promise((resume) => setTimeout(resume, 1000));
    const response = await fetch(part.dataset.progress, { redirect: "manual" }).catch(() => null);
    if (response?.type === "opaqueredirect") return location.reload(); // signed out
    if (!response?.ok) continue;
    const job = await response.json();
    bar.max = job.total;
    bar.value = job.done;
    status.textContent = job.text;
    over = job.over;
  }
}

/** Say at once that a file is too large, and not after the form was sent with everything that was typed. */
function limitFile(input) {
  const most = Number(input.dataset.mostBytes);
  input.addEventListener("change", () => {
    const size = input.files[0]?.size ?? 0;
    const said = `The file has ${size.toLocaleString()} bytes; at most ${most.toLocaleString()} are taken`;
    input.setCustomValidity(size > most ? said : "");
    input.reportValidity();
  });
}

localTimes(document);
document.querySelectorAll("[data-refresh]").forEach(refresh);
document.querySelectorAll("[data-progress]").forEach(followProgress);
document.querySelectorAll("[data-serial-rule]").forEach(previewSerials);
document.querySelectorAll("[data-parameters]").forEach(previewParameters);
document.querySelectorAll("[data-most-bytes]").forEach(limitFile);
document.querySelectorAll("[data-try]").forEach(tryWhileTyping);
document.querySelectorAll("[data-live]").forEach(followEvents);
