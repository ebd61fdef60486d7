// What is known of each uplink: the events that this page has seen, and what they cannot tell.

const KEPT = 20_000_000; // characters of events; the stories that began first are forgotten beyond it

const OVER = new Set(["posted", "set_aside", "dead"]);

/** The events of each uplink. Those that somebody sees on the page are held as long as that is so. */
export class Stories {
  #stories = new Map(); // by uplink id: its events and their size, the story that began first in front
  #held = new Map(); // how often each uplink is held
  #size = 0;

  add(event, size) {
    if (!event.uplink_id) return;
    const story = this.#stories.get(event.uplink_id) ?? { events: [], size: 0 };
    story.events.push(event);
    story.size += size;
    this.#size += size;
    this.#stories.set(event.uplink_id, story);
    if (this.#size > KEPT) this.#forget();
  }

  /** Give what is known of an uplink, in the order of time: processes tell in none. */
  find(uplink) {
    const events = this.#stories.get(uplink)?.events ?? [];
    return [...events].sort((one, other) => Date.parse(one.time) - Date.parse(other.time));
  }

  hold(uplink) {
    this.#held.set(uplink, (this.#held.get(uplink) ?? 0) + 1);
  }

  release(uplink) {
    const left = this.#held.get(uplink) - 1;
    if (left) this.#held.set(uplink, left);
    else this.#held.delete(uplink);
  }

  #forget() {
    let unseen = this.#stories.size; // what is put back comes round again
    for (const [uplink, story] of this.#stories) {
      if (this.#size <= KEPT || unseen-- === 0) return;
      this.#stories.delete(uplink);
      if (this.#held.has(uplink)) this.#stories.set(uplink, story); // as if it had begun just now
      else this.#size -= story.size;
    }
  }
}

/** Give the request that an uplink came in, as far as its events tell. */
export function findRequest(events) {
  const found = {};
  for (const { key, network, serial, facts, details } of events) {
    Object.assign(found, pickKnown({ key, network, serial }), pickKnown({ arrived_at: facts.arrived_at }));
    if (details && "item" in details) Object.assign(found, pickKnown({ arrived_at: details.arrived_at }), { sent: details });
    if (facts.uplinks && !("seconds" in facts)) found.uplinks = facts.uplinks; // of a post it says how many that had
  }
  return found;
}

/**
 * Say what a story leaves open, and why. ``missed``: what this page did not get, in words; empty: nothing.
 * ``sampled``: whether it was told of some uplinks only, for a time.
 */
export function findGaps(events, { reason, sampled, missed }) {
  const stages = new Set(events.map((event) => event.stage));
  const attempts = events.map((event) => event.facts.attempt).filter(Number.isInteger);
  const first = Math.min(...attempts);
  const gaps = [];
  if (reason) gaps.push(`Only events with the reason ${reason} are asked for, by the filter above: every other stage is unknown here.`);
  else if (!stages.has("accepted")) gaps.push("That it was accepted was not seen: this page knows nothing of what was before it was opened.");
  if (!reason && first > 1 && first < Infinity) gaps.push(`Of its attempts before number ${first}, nothing was seen.`);
  if (missed) gaps.push(`${missed}: they may belong here.`);
  if (sampled && !(stages.has("accepted") && OVER.has(events.at(-1)?.stage))) {
    gaps.push("There were more uplinks than are shown: this one may have been left out for a time.");
  }
  const leftOut = [...new Set(events.flatMap((event) => event.facts.left_out ?? []))];
  if (leftOut.length) gaps.push(`Left out, because it is too large for an event: ${leftOut.join(", ")}.`);
  if (!OVER.has(events.at(-1)?.stage)) gaps.push("As far as this page has seen, it is still on its way.");
  return gaps;
}

function pickKnown(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
}
