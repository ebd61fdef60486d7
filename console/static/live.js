// The live inspector: events as they come, the newest first, and the story of one uplink. The oldest go when there are
// too many; while it is paused they wait, as many as are shown.

const SHOWN = 500;

export function followEvents(part) {
  const find = (name) => part.querySelector(`[data-${name}]`);
  const rows = find("events");
  const status = find("state");
  const story = find("story");
  const pause = find("pause");
  const known = []; // every event that is shown, the oldest first
  let waiting = [];
  let paused = false;

  const source = new EventSource(part.dataset.live + location.search);
  source.addEventListener("open", () => tell(paused ? "Paused" : "Watching"));
  source.addEventListener("error", () => tell("Connection lost, trying again…"));
  source.addEventListener("uplink", (message) => take(JSON.parse(message.data)));
  source.addEventListener("missed", (message) => {
    const { why, events } = JSON.parse(message.data);
    tell(events === null ? `Nothing is seen there for now: ${why}` : `${events} events are not shown: ${why}`);
  });

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    tell(paused ? "Paused" : "Watching");
    if (!paused) {
      waiting.forEach(show);
      waiting = [];
    }
  });

  function tell(text) {
    status.textContent = text;
  }

  function take(event) {
    if (!paused) return show(event);
    waiting.push(event);
    if (waiting.length > SHOWN) waiting.shift();
    tell(`Paused, ${waiting.length} wait`);
  }

  function show(event) {
    find("waiting").hidden = true;
    rows.closest("table").hidden = false;
    known.push(event);
    rows.prepend(makeRow(event));
    if (known.length > SHOWN) {
      known.shift();
      rows.lastElementChild.remove();
    }
    if (event.uplink_id && event.uplink_id === story.dataset.uplink) tellStory(event.uplink_id);
  }

  function makeRow(event) {
    const row = element("tr", "", event.stage);
    const open = element("button", event.uplink_id ?? "");
    open.type = "button";
    open.className = "link";
    open.addEventListener("click", () => {
      tellStory(event.uplink_id);
      story.querySelector("h2").focus();
    });
    const cells = [makeTime(event.time), mark(event.stage), event.serial, event.key, event.network, describe(event)];
    for (const cell of cells) row.append(element("td", cell ?? ""));
    const last = element("td");
    if (event.uplink_id) last.append(open);
    row.append(last);
    return row;
  }

  function tellStory(uplink) {
    story.hidden = false;
    story.dataset.uplink = uplink;
    find("story-id").textContent = uplink;
    const steps = known.filter((event) => event.uplink_id === uplink);
    find("story-events").replaceChildren(...steps.map(makeStep));
  }

  function makeStep(event) {
    const step = element("li", "", event.stage);
    step.append(mark(event.stage), " ", makeTime(event.time), " ", describe(event));
    if (event.details) {
      const shown = element("pre", clean(JSON.stringify(event.details, null, 2)));
      shown.tabIndex = 0;
      step.append(shown);
    }
    return step;
  }
}

function describe(event) {
  const facts = Object.entries(event.facts).map(([name, value]) => `${name.replaceAll("_", " ")} ${show(value)}`);
  return clean([event.reason, facts.join(", ")].filter(Boolean).join(": "));
}

function show(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function mark(stage) {
  return element("span", stage.replaceAll("_", " "), `stage ${stage}`);
}

function makeTime(text) {
  const moment = new Date(text);
  const time = element("time", moment.toLocaleTimeString(undefined, { fractionalSecondDigits: 3 }));
  time.dateTime = text;
  time.title = text;
  return time;
}

/** Replace what nobody can print: it could turn around or hide what stands beside it. */
function clean(text) {
  return text.replace(/[^\P{C}\n]/gu, "\uFFFD");
}

function element(name, content = "", className = "") {
  const made = document.createElement(name);
  made.append(typeof content === "string" ? clean(content) : content);
  if (className) made.className = className;
  return made;
}
