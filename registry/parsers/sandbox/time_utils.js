// timeUtils: times in time zones, after TagoIO's description of it. A time without an offset is taken as of the zone.

const zoneFormats = new Map();

function zoneFormat(timezone) {
  let format = zoneFormats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: timezone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric",
      minute: "numeric", second: "numeric", era: "short",
    });
    zoneFormats.set(timezone, format);
  }
  return format;
}

function checkZone(timezone) {
  if (!timeUtils.isValidTimezone(timezone)) throw new Error(`Invalid timezone: ${timezone}`);
}

// Milliseconds of the zone's wall clock, as if it were UTC.
function wallClock(instant, timezone) {
  const fields = {};
  for (const { type, value } of zoneFormat(timezone).formatToParts(instant)) fields[type] = value;
  const year = fields.era === "BC" ? 1 - fields.year : +fields.year;
  const wall = new Date(Date.UTC(2000, fields.month - 1, fields.day, fields.hour, fields.minute, fields.second));
  wall.setUTCFullYear(year, fields.month - 1, fields.day);
  return wall.getTime();
}

function offsetAt(instant, timezone) {
  return Math.round((wallClock(instant, timezone) - Math.floor(instant / 1000) * 1000) / 60000);
}

function instantOf(dateInput, timezone) {
  checkZone(timezone);
  const hasOffset = typeof dateInput !== "string" || /(?:Z|[+-]\d{2}:?\d{2})$/i.test(dateInput.trim());
  const instant = new Date(hasOffset ? dateInput : `${dateInput.trim().replace(" ", "T")}Z`).getTime();
  const parsed = Number.isNaN(instant) ? new Date(dateInput).getTime() : instant;
  if (Number.isNaN(parsed)) throw new Error(`Invalid date: ${dateInput}`);
  if (hasOffset) return parsed;
  const guess = parsed - offsetAt(parsed, timezone) * 60000;
  return parsed - offsetAt(guess, timezone) * 60000;
}

function isoInZone(instant, timezone) {
  const offset = offsetAt(instant, timezone);
  const wall = new Date(instant + offset * 60000).toISOString();
  return offset === 0 ? wall : wall.replace("Z", formatOffset(offset, ":"));
}

function abbreviationAt(instant, timezone) {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: timezone, timeZoneName: "short" });
  return format.formatToParts(instant).find(({ type }) => type === "timeZoneName").value;
}

function dayOfYear(wall) {
  return Math.floor((wall.getTime() - Date.UTC(wall.getUTCFullYear(), 0)) / 864e5) + 1;
}

const STRFTIME = {
  Y: (wall) => String(wall.getUTCFullYear()),
  y: (wall) => pad(wall.getUTCFullYear() % 100),
  m: (wall) => pad(wall.getUTCMonth() + 1),
  d: (wall) => pad(wall.getUTCDate()),
  e: (wall) => String(wall.getUTCDate()).padStart(2, " "),
  j: (wall) => pad(dayOfYear(wall), 3),
  H: (wall) => pad(wall.getUTCHours()),
  I: (wall) => pad(wall.getUTCHours() % 12 || 12),
  M: (wall) => pad(wall.getUTCMinutes()),
  S: (wall) => pad(wall.getUTCSeconds()),
  f: (wall) => `${pad(wall.getUTCMilliseconds(), 3)}000000`,
  "3f": (wall) => pad(wall.getUTCMilliseconds(), 3),
  ".3f": (wall) => `.${pad(wall.getUTCMilliseconds(), 3)}`,
  p: (wall) => (wall.getUTCHours() < 12 ? "AM" : "PM"),
  P: (wall) => (wall.getUTCHours() < 12 ? "am" : "pm"),
  A: (wall) => WEEKDAYS[wall.getUTCDay()],
  a: (wall) => WEEKDAYS[wall.getUTCDay()].slice(0, 3),
  u: (wall) => String(wall.getUTCDay() || 7),
  w: (wall) => String(wall.getUTCDay()),
  B: (wall) => MONTHS[wall.getUTCMonth()],
  b: (wall) => MONTHS[wall.getUTCMonth()].slice(0, 3),
  h: (wall) => MONTHS[wall.getUTCMonth()].slice(0, 3),
  z: (_, offset) => formatOffset(offset, ""),
  ":z": (_, offset) => formatOffset(offset, ":"),
  Z: (_, offset) => formatOffset(offset, ":"),
  s: (wall, offset) => String(Math.floor(wall.getTime() / 1000) - offset * 60),
  "%": () => "%",
  n: () => "\n",
  t: () => "\t",
};
const STRFTIME_SHORTHAND = { F: "%Y-%m-%d", T: "%H:%M:%S", R: "%H:%M", D: "%m/%d/%y", x: "%m/%d/%y", X: "%H:%M:%S",
  r: "%I:%M:%S %p", c: "%a %b %e %H:%M:%S %Y", "+": "%Y-%m-%dT%H:%M:%S%.3f%:z" };

function strftime(instant, offset, format) {
  const wall = new Date(instant + offset * 60000);
  const spelled = String(format).replace(/%([FTRDxXrc+])/g, (_, letter) => STRFTIME_SHORTHAND[letter]);
  return spelled.replace(/%(\.3f|3f|:z|[A-Za-z%])/g, (whole, code) => STRFTIME[code]?.(wall, offset) ?? whole);
}

const timeUtils = {
  compareTimezones(dateInputA, timezoneA, dateInputB, timezoneB) {
    return Math.sign(instantOf(dateInputA, timezoneA) - instantOf(dateInputB, timezoneB)) + 0;
  },
  convertTimezone(dateInput, fromTimezone, toTimezone) {
    checkZone(toTimezone);
    return isoInZone(instantOf(dateInput, fromTimezone), toTimezone);
  },
  formatInTimezone(dateInput, timezone, format) {
    const instant = instantOf(dateInput, timezone);
    return strftime(instant, offsetAt(instant, timezone), format);
  },
  getTimezoneAbbreviation(dateInput, timezone) {
    return abbreviationAt(instantOf(dateInput, timezone), timezone);
  },
  getTimezoneInfo(timezone) {
    checkZone(timezone);
    const now = Date.now();
    return { name: timezone, abbreviation: abbreviationAt(now, timezone), offset: offsetAt(now, timezone) };
  },
  getTimezoneOffset(dateInput, timezone) {
    return offsetAt(instantOf(dateInput, timezone), timezone);
  },
  isValidTimezone(timezone) {
    try {
      return typeof timezone === "string" && Boolean(zoneFormat(timezone));
    } catch {
      return false;
    }
  },
  listTimezones() {
    return Intl.supportedValuesOf("timeZone");
  },
  nowInTimezone(timezone) {
    checkZone(timezone);
    return isoInZone(Date.now(), timezone);
  },
};
