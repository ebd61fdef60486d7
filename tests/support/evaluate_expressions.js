// Evaluates the expressions of a file with Node.js and writes the results into it, which the tests compare with.
//
//     TZ=UTC node tests/support/evaluate_expressions.js tests/data/parsers/buffer/expressions.json
//     TZ=UTC NODE_PATH=… node tests/support/evaluate_expressions.js tests/data/parsers/dayjs/expressions.json dayjs
//
// The second argument is a module that the expressions use under its own name; NODE_PATH is where npm installed it.
// A result is what JSON keeps of the value, with a bigint as text; of an exception its name, code and message.

const fs = require("node:fs");

const [, , file, moduleName] = process.argv;
if (moduleName === "dayjs") {
  globalThis.dayjs = require("dayjs");
  dayjs.extend(require("dayjs/plugin/utc"));
}
const document = JSON.parse(fs.readFileSync(file, "utf8"));
for (const each of document) {
  try {
    const value = (0, eval)(`(${each.expression})`);
    each.result = JSON.parse(JSON.stringify({ value }, (_, v) => (typeof v === "bigint" ? `${v}n` : v)));
  } catch (error) {
    each.result = { name: error.name, code: error.code ?? null, message: error.message };
  }
}
fs.writeFileSync(file, `[\n${document.map((each) => JSON.stringify(each)).join(",\n")}\n]\n`);
