// Times as the reader's clock says them; the exact one stays on hover.

export function localTimes(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) time.textContent = format.format(moment);
  }
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

/** Make the element of a moment of today, to the millisecond. */
export function makeTime(text) {
  const time = document.createElement("time");
  time.textContent = clock.format(new Date(text));
  time.dateTime = text;
  time.title = text;
  return time;
}
