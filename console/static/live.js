// The live inspector: events as they come, the newest first, and the story of one uplink.

import { definitions, element, jsonBlock } from "./elements.js";
import { Stories, findGaps, findRequest } from "./stories.js";
import { makeTime } from "./times.js";

const SHOWN = 200; // rows; the oldest go when there are more
const PAUSE = 100; // milliseconds between two drawings: many rows at once cost little more than one

export function followEvents(part) {
  const find = (name) => part.querySelector(`[data-${name}]`);
  const rows = find("events");
  const story = find("story");
  const names = JSON.parse(part.dataset.names);
  const { stage, reason } = part.dataset;
  const stories = new Stories();
  let fresh = []; // what is to be drawn, the oldest first, at most as many as are shown
  let seen = 0; // events that fit the filter, since the page was opened
  let shown = 0; // of these, those that were there at the last drawing
  let missed = 0; // events that did not come, and whether there were others that nobody counted
  let uncounted = false;
  let sampled = false; // whether there were uplinks of which it was told nothing, because there were so many
  let opened = null; // the uplink whose story is told
  let paused = false;
  let timer = 0;

  const source = new EventSource(part.dataset.live + location.search);
  source.addEventListener("open", () => {
    tell(paused ? "Paused" : "Watching");
    noteSampled(1);
  });
  source.addEventListener("error", () => {
    tell("Connection lost, trying again…");
    noteMissed("the connection to the console was lost", null);
  });
  source.addEventListener("uplink", (message) => take(JSON.parse(message.data), message.data.length));
  source.addEventListener("missed", (message) => {
    const { why, events } = JSON.parse(message.data);
    noteMissed(why, events);
  });

  source.addEventListener("sampled", (message) => noteSampled(JSON.parse(message.data).one_in));

  find("pause").addEventListener("click", () => {
    paused = !paused;
    find("pause").textContent = paused ? "Go on" : "Pause";
    tell(paused ? "Paused" : "Watching");
    draw();
  });

  function tell(text) {
    find("state").textContent = text;
  }

  function noteMissed(why, events) {
    if (events === null) uncounted = true;
    else missed += events;
    find("missed").textContent = `${describeMissed()}: ${why}.${events ? " A narrower filter helps." : ""}`;
    find("missed").hidden = false;
  }

  function noteSampled(oneIn) {
    sampled ||= oneIn > 1;
    find("sampled").textContent = `1 in ${oneIn.toLocaleString()} uplinks shown, each with all that happens to it: more come than anybody reads. A narrower filter helps.`;
    find("sampled").hidden = oneIn === 1;
  }

  function describeMissed() {
    if (!missed) return uncounted ? "Some events may not have come to this page" : "";
    return `${count(missed, "event")}${uncounted ? ", and perhaps more," : ""} did not come to this page`;
  }

  function take(event, size) {
    stories.add(event, size);
    if (!stage || event.stage === stage) {
      seen += 1;
      fresh.push(event);
      if (fresh.length > SHOWN) fresh.shift();
    }
    if (!timer) timer = setTimeout(draw, PAUSE);
  }

  function draw() {
    clearTimeout(timer);
    timer = 0;
    if (!paused) {
      drawRows();
      if (opened) tellStory();
    }
    find("count").textContent = paused
      ? `${(seen - shown).toLocaleString()} came since; the newest ${SHOWN} of them will be shown`
      : `${count(seen, "event")}${seen > SHOWN ? `, the newest ${SHOWN} are shown` : ""}`;
  }

  function drawRows() {
    shown = seen;
    if (!fresh.length) return;
    find("waiting").hidden = true;
    rows.closest("table").hidden = false;
    for (let surplus = rows.childElementCount + fresh.length - SHOWN; surplus > 0; surplus--) {
      stories.release(rows.lastElementChild.dataset.uplink);
      rows.lastElementChild.remove();
    }
    rows.prepend(...fresh.reverse().map(makeRow));
    fresh = [];
  }

  function makeRow(event) {
    const row = element("tr");
    row.dataset.uplink = event.uplink_id ?? "";
    stories.hold(row.dataset.uplink);
    const opener = event.uplink_id && element("button", event.uplink_id, "link");
    const cells = [makeTime(event.time), mark(event.stage), opener, event.serial, name(event.key), name(event.network), describe(event)];
    for (const cell of cells) row.append(element("td", cell ?? ""));
    return row;
  }

  rows.addEventListener("click", (click) => {
    const row = click.target.closest("button") && click.target.closest("tr");
    if (!row) return;
    if (opened) stories.release(opened.uplink);
    opened = { uplink: row.dataset.uplink, events: 0 };
    stories.hold(opened.uplink); // also when its rows have gone
    tellStory();
    story.querySelector("h2").focus();
  });

  function tellStory() {
    const events = stories.find(opened.uplink);
    const gaps = findGaps(events, { reason, sampled, missed: describeMissed() });
    find("story-gaps").replaceChildren(...gaps.map((gap) => element("li", gap)));
    if (events.length === opened.events) return; // whoever reads in it stays where they are
    opened.events = events.length;
    story.hidden = false;
    find("story-id").textContent = opened.uplink;
    find("story-request").replaceChildren(...makeRequest(findRequest(events)));
    find("story-steps").replaceChildren(...events.map((event, index) => makeStep(event, events[index - 1])));
  }

  function makeRequest({ arrived_at, key, network, serial, uplinks, sent }) {
    const entries = [
      ["arrived", arrived_at && makeTime(arrived_at)], ["key", name(key)], ["network", name(network)],
      ["serial", serial], ["uplinks in it", uplinks?.toLocaleString()],
    ];
    if (!sent) return [definitions(entries), element("p", "What was sent is not known here.", "none")];
    const query = Object.keys(sent.query).length ? [element("h4", "Query"), jsonBlock(sent.query, "Query")] : [];
    const item = sent.item === null ? [element("p", "The query is the uplink.")] : [element("h4", "This uplink"), jsonBlock(sent.item, "This uplink")];
    return [definitions(entries), ...query, ...item];
  }

  function name(id) {
    return id && (names[id] ?? id);
  }
}

function makeStep(event, before) {
  const step = element("li");
  const since = before ? ` ${seconds((Date.parse(event.time) - Date.parse(before.time)) / 1000)} later` : "";
  step.append(mark(event.stage), " ", makeTime(event.time), element("span", since, "hint"), " ", describe(event));
  if (event.details?.records) step.append(makeRecords(event.details.records));
  if (event.stage === "dead") {
    const link = element("a", "Its dead letter: remedy, map, replay");
    link.href = `/dead/letters/${event.uplink_id.split("/").map(encodeURIComponent).join("/")}`;
    step.append(document.createElement("br"), link);
  }
  return step;
}

function makeRecords(records) {
  const table = element("table");
  table.append(makeCells("thead", "th", [["Variable", "Value", "Unit", "Location", "Time"]]));
  table.append(makeCells("tbody", "td", records.map(({ variable, value, unit, location, time }) => [
    variable, value === undefined ? "" : typeof value === "number" ? value : show(value), unit ?? "",
    location ? show(location) : "", time ? makeTime(time) : "",
  ])));
  const scrolled = element("div", table, "wide");
  scrolled.tabIndex = 0;
  scrolled.setAttribute("role", "group");
  scrolled.setAttribute("aria-label", "Records");
  return scrolled;
}

function makeCells(group, cell, lines) {
  const made = element(group);
  for (const line of lines) {
    const row = element("tr");
    for (const content of line) {
      const each = typeof content === "number" ? element(cell, show(content), "number") : element(cell, content);
      if (cell === "th") each.scope = "col";
      row.append(each);
    }
    made.append(row);
  }
  return made;
}

/** Say what happened, beyond the stage: the words of ``sluice tail``. */
function describe({ stage, reason, facts }) {
  const why = [reason, facts.detail].filter(Boolean).join(": ");
  switch (stage) {
    case "refused":
      return `${facts.status} ${reason}: ${facts.message}`;
    case "accepted":
      return facts.uplinks > 1 ? `one of ${count(facts.uplinks, "uplink")} in its request` : "";
    case "mapped":
      return `${count(facts.records, "record")}${facts.attempt > 1 ? `, attempt ${facts.attempt}` : ""}`;
    case "resolved":
      return "the downstream knows its device";
    case "post_failed":
    case "posted":
      return `${facts.answer} after ${seconds(facts.seconds)}, ${count(facts.bytes, "byte")}${facts.uplinks > 1 ? ` of ${facts.uplinks} uplinks` : ""}`;
    case "said":
      return `${facts.parser} parser, ${facts.level}: ${facts.text}`;
    case "retried":
      return `again in ${seconds(facts.wait_seconds)}: ${why}`;
    default:
      return why;
  }
}

function mark(stage) {
  return element("span", stage.replaceAll("_", " "), `stage ${stage}`);
}

function show(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function count(number, noun) {
  return `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;
}

function seconds(number) {
  return number < 1 ? `${Math.round(number * 1000)} ms` : `${number.toLocaleString(undefined, { maximumFractionDigits: 1 })} s`;
}
