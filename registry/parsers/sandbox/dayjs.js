// What decoders use of Day.js. Local time is UTC here; plug-ins, locales and custom formats of input are not there.

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
  "November", "December"];
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MILLISECONDS = { millisecond: 1, second: 1e3, minute: 6e4, hour: 36e5, day: 864e5, week: 6048e5 };
const SHORT_UNITS = { ms: "millisecond", s: "second", m: "minute", h: "hour", d: "day", D: "date", w: "week",
  M: "month", y: "year" };

const unitOf = (unit) => SHORT_UNITS[unit] ?? String(unit ?? "millisecond").toLowerCase().replace(/s$/, "");
const pad = (value, width = 2) => String(value).padStart(width, "0");

function parseMoment(value) {
  if (value === undefined) return Date.now();
  if (value === null || value === "") return NaN;
  if (value instanceof DayjsMoment) return value.valueOf();
  if (typeof value !== "string" || /Z$/i.test(value)) return new Date(value).getTime();
  const written = /^(\d{4})(?:[-/]?(\d\d?)(?:[-/]?(\d\d?))?)?(?:[T ]+([\d:.]*))?$/i.exec(value.trim());
  if (written === null) return new Date(value).getTime();
  const [, year, month, day, clock] = written;
  const [hour, minute, second, fraction] = (clock ?? "").split(/[:.]/);
  const milliseconds = +(fraction ?? "").padEnd(3, "0").slice(0, 3);
  return Date.UTC(+year, (month ?? 1) - 1, +(day ?? 1), +(hour ?? 0), +(minute ?? 0), +(second ?? 0), milliseconds);
}

function formatOffset(minutes, separator) {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}${separator}${pad(size % 60)}`;
}

class DayjsMoment {
  #shown; // the date whose UTC fields are the fields in this offset
  #offset;
  #isUtc;

  constructor(milliseconds, offset = 0, isUtc = false) {
    this.#offset = offset;
    this.#isUtc = isUtc;
    this.#shown = new Date(milliseconds + offset * 6e4);
  }

  isValid() { return !Number.isNaN(this.#shown.getTime()); }
  valueOf() { return this.#shown.getTime() - this.#offset * 6e4; }
  unix() { return Math.floor(this.valueOf() / 1000); }
  toDate() { return new Date(this.valueOf()); }
  toISOString() { return this.toDate().toISOString(); }
  toJSON() { return this.isValid() ? this.toISOString() : null; }
  toString() { return this.toDate().toUTCString(); }
  clone() { return new DayjsMoment(this.valueOf(), this.#offset, this.#isUtc); }
  utc() { return new DayjsMoment(this.valueOf(), 0, true); }
  local() { return new DayjsMoment(this.valueOf()); }
  isUTC() { return this.#isUtc; }

  utcOffset(minutes) {
    if (minutes === undefined) return this.#offset;
    return new DayjsMoment(this.valueOf(), Math.abs(minutes) <= 16 ? minutes * 60 : +minutes);
  }

  get(unit) {
    const date = this.#shown;
    switch (unitOf(unit)) {
      case "year": return date.getUTCFullYear();
      case "month": return date.getUTCMonth();
      case "date": return date.getUTCDate();
      case "day": return date.getUTCDay();
      case "hour": return date.getUTCHours();
      case "minute": return date.getUTCMinutes();
      case "second": return date.getUTCSeconds();
      case "millisecond": return date.getUTCMilliseconds();
      default: return undefined;
    }
  }

  set(unit, value) {
    const date = new Date(this.#shown);
    switch (unitOf(unit)) {
      case "year": setMonth(date, value, date.getUTCMonth()); break;
      case "month": setMonth(date, date.getUTCFullYear(), value); break;
      case "date": date.setUTCDate(value); break;
      case "day": date.setUTCDate(date.getUTCDate() + value - date.getUTCDay()); break;
      case "hour": date.setUTCHours(value); break;
      case "minute": date.setUTCMinutes(value); break;
      case "second": date.setUTCSeconds(value); break;
      case "millisecond": date.setUTCMilliseconds(value); break;
      default: break;
    }
    return this.#at(date);
  }

  add(amount, unit) {
    const count = +amount;
    switch (unitOf(unit)) {
      case "year": return this.set("year", this.get("year") + count);
      case "month": return this.set("month", this.get("month") + count);
      default: {
        const milliseconds = this.valueOf() + count * (MILLISECONDS[unitOf(unit)] ?? 1);
        return new DayjsMoment(milliseconds, this.#offset, this.#isUtc);
      }
    }
  }

  subtract(amount, unit) { return this.add(-amount, unit); }

  startOf(unit) {
    const [year, month, day] = [this.get("year"), this.get("month"), this.get("date")];
    switch (unitOf(unit)) {
      case "year": return this.#at(new Date(Date.UTC(year, 0)));
      case "month": return this.#at(new Date(Date.UTC(year, month)));
      case "week": return this.#at(new Date(Date.UTC(year, month, day - this.get("day"))));
      case "day":
      case "date": return this.#at(new Date(Date.UTC(year, month, day)));
      default: {
        const size = MILLISECONDS[unitOf(unit)] ?? 1;
        return this.#at(new Date(Math.floor(this.#shown.getTime() / size) * size));
      }
    }
  }

  endOf(unit) {
    const name = unitOf(unit) === "date" ? "day" : unitOf(unit);
    return this.startOf(name).add(1, name).subtract(1, "millisecond");
  }

  diff(other, unit, exact = false) {
    const that = dayjs(other);
    const name = unitOf(unit);
    const months = { month: 1, quarter: 3, year: 12 }[name];
    const difference = months ? -monthsBetween(this, that) / months
      : (this.valueOf() - that.valueOf()) / (MILLISECONDS[name] ?? 1);
    return exact ? difference : Math.trunc(difference) + 0;
  }

  isBefore(other, unit) { return this.endOf(unit).valueOf() < dayjs(other).valueOf(); }
  isAfter(other, unit) { return dayjs(other).valueOf() < this.startOf(unit).valueOf(); }

  isSame(other, unit) {
    const that = dayjs(other).valueOf();
    return this.startOf(unit).valueOf() <= that && that <= this.endOf(unit).valueOf();
  }

  daysInMonth() { return this.endOf("month").get("date"); }

  format(pattern = this.#isUtc ? "YYYY-MM-DDTHH:mm:ss[Z]" : "YYYY-MM-DDTHH:mm:ssZ") {
    if (!this.isValid()) return "Invalid Date";
    const runsOfLetters = /\[([^\]]*)\]|([A-Za-z])\2*/g;
    return String(pattern).replace(runsOfLetters, (run, literal) => literal ?? FORMATTERS.get(run)?.(this) ?? run);
  }

  #at(shown) { return new DayjsMoment(shown.getTime() - this.#offset * 6e4, this.#offset, this.#isUtc); }
}

const FORMATTERS = new Map(Object.entries({
  YY: (moment) => pad(moment.year() % 100),
  YYYY: (moment) => pad(moment.year(), 4),
  M: (moment) => String(moment.month() + 1),
  MM: (moment) => pad(moment.month() + 1),
  MMM: (moment) => MONTHS[moment.month()].slice(0, 3),
  MMMM: (moment) => MONTHS[moment.month()],
  D: (moment) => String(moment.date()),
  DD: (moment) => pad(moment.date()),
  d: (moment) => String(moment.day()),
  dd: (moment) => WEEKDAYS[moment.day()].slice(0, 2),
  ddd: (moment) => WEEKDAYS[moment.day()].slice(0, 3),
  dddd: (moment) => WEEKDAYS[moment.day()],
  H: (moment) => String(moment.hour()),
  HH: (moment) => pad(moment.hour()),
  h: (moment) => String(moment.hour() % 12 || 12),
  hh: (moment) => pad(moment.hour() % 12 || 12),
  A: (moment) => (moment.hour() < 12 ? "AM" : "PM"),
  a: (moment) => (moment.hour() < 12 ? "am" : "pm"),
  m: (moment) => String(moment.minute()),
  mm: (moment) => pad(moment.minute()),
  s: (moment) => String(moment.second()),
  ss: (moment) => pad(moment.second()),
  SSS: (moment) => pad(moment.millisecond(), 3),
  Z: (moment) => formatOffset(moment.utcOffset(), ":"),
  ZZ: (moment) => formatOffset(moment.utcOffset(), ""),
}));

for (const unit of ["year", "month", "date", "day", "hour", "minute", "second", "millisecond"]) {
  define(DayjsMoment.prototype, {
    [unit](value) { return value === undefined ? this.get(unit) : this.set(unit, value); },
  });
}

function setMonth(date, year, month) {
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  date.setUTCFullYear(year, month, Math.min(date.getUTCDate(), last));
}

function monthsBetween(from, to) {
  if (from.get("date") < to.get("date")) return -monthsBetween(to, from); // as Day.js does: it decides the fraction
  const whole = (to.get("year") - from.get("year")) * 12 + to.get("month") - from.get("month");
  const anchor = from.add(whole, "month").valueOf();
  const short = to.valueOf() < anchor;
  const next = from.add(whole + (short ? -1 : 1), "month").valueOf();
  return whole + (to.valueOf() - anchor) / (short ? anchor - next : next - anchor) || 0;
}

function dayjs(value) {
  return value instanceof DayjsMoment ? value.clone() : new DayjsMoment(parseMoment(value));
}

define(dayjs, {
  unix: (seconds) => new DayjsMoment(seconds * 1000),
  utc: (value) => dayjs(value).utc(),
  isDayjs: (value) => value instanceof DayjsMoment,
  extend: () => dayjs,
  locale: () => "en",
});
