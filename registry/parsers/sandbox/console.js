// The console of a run: lines of text with their level, bounded in number and length.

const CONSOLE_LINES = 100;
const LINE_CHARACTERS = 1000;
const SHOWN_DEPTH = 4;
const SHOWN_MEMBERS = 100;

let consoleLines = [];

function show(value, depth, seen) {
  if (typeof value === "string") return depth ? `'${value.slice(0, LINE_CHARACTERS)}'` : value;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[Function: ${value.name || "(anonymous)"}]`;
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Error) return value.message ? `${value.name}: ${value.message}` : String(value.name);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Buffer) return `<Buffer ${value.subarray(0, 50).toString("hex").replace(/..(?=.)/g, "$& ")}>`;
  if (seen.includes(value)) return "[Circular]";
  return showMembers(value, depth, [...seen, value]);
}

function showMembers(value, depth, seen) {
  if (depth >= SHOWN_DEPTH) return Array.isArray(value) ? "[Array]" : "[Object]";
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  const keys = isList ? Array.from({ length: Math.min(value.length, SHOWN_MEMBERS) }, (_, i) => i)
    : Object.keys(value).slice(0, SHOWN_MEMBERS);
  const members = keys.map((key) => {
    const shown = show(value[key], depth + 1, seen);
    return isList ? shown : `${/^[\w$]+$/.test(key) ? key : `'${key}'`}: ${shown}`;
  });
  if (!members.length) return isList ? "[]" : "{}";
  return isList ? `[ ${members.join(", ")} ]` : `{ ${members.join(", ")} }`;
}

function note(level, values) {
  if (consoleLines.length >= CONSOLE_LINES) return;
  const text = values.map((value) => show(value, 0, [])).join(" ");
  consoleLines.push([level, text.slice(0, LINE_CHARACTERS)]);
}

const parserConsole = {
  log: (...values) => note("log", values),
  info: (...values) => note("log", values),
  debug: (...values) => note("debug", values),
  warn: (...values) => note("error", values),
  error: (...values) => note("error", values),
};
