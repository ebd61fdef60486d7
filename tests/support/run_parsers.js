// Runs the parsers of a folder with Node.js and writes the results into their data files, which the tests compare with.
//
//     TZ=UTC node tests/support/run_parsers.js tests/data/parsers
//
// NAME.js is the parser, NAME.json its kind and its runs. What a run came to is in "result": payload, serial and the
// lines of the console, or the error with its line and column in the source.

const fs = require("node:fs");
const path = require("node:path");
const util = require("node:util");
const vm = require("node:vm");

const folder = process.argv[2];
const LEVELS = { log: "log", info: "log", debug: "debug", warn: "error", error: "error" };

function describe(value) {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]"
    ? `${value.name}: ${value.message}` : value;
}

function run(source, { payload, device }) {
  const lines = [];
  const console = Object.fromEntries(Object.entries(LEVELS).map(([name, level]) =>
    [name, (...values) => lines.push([level, util.format(...values.map(describe))])]));
  const context = vm.createContext({
    payload: structuredClone(payload), raw_payload: payload, device: structuredClone(device), serial: undefined,
    Buffer, Uint8Array, ArrayBuffer, DataView, Int16Array, console,
  });
  try {
    vm.runInContext(`(function () {\n${source}\n})()`, context, { filename: "parser", timeout: 1000 });
  } catch (error) {
    const [, line, column] = /parser:(\d+):(\d+)/.exec(error.stack) ?? [];
    return { error: String(error), line: line - 1, column: +column, console: lines };
  }
  const { payload: result, serial } = context;
  if (!Array.isArray(result)) return { error: "not an array", console: lines };
  return { payload: JSON.parse(JSON.stringify(result)), serial: serial ?? null, console: lines };
}

for (const name of fs.readdirSync(folder).filter((file) => file.endsWith(".js"))) {
  const source = fs.readFileSync(path.join(folder, name), "utf8");
  const file = path.join(folder, name.replace(/js$/, "json"));
  const document = JSON.parse(fs.readFileSync(file, "utf8"));
  for (const each of document.runs) each.result = run(source, each);
  fs.writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
}
