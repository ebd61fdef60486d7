// Runs the parsers of a bench with Node.js: `vm` with a fresh context per run. bench/parsers.py starts it.
//
// Standard input: {"parsers": [source], "inputs": [JSON text], "runs": n, "cold": bool}. Parser and input of a run are
// taken in turn. What is compiled once and reused is the script; with "cold" each run compiles its own.
// Standard output: {"seconds": of processor time, "microseconds": [of each run, by the clock]}.

const fs = require("node:fs");
const vm = require("node:vm");

const { parsers, inputs, runs, cold } = JSON.parse(fs.readFileSync(0, "utf8"));
const quiet = { log() {}, debug() {}, error() {} };
const wrap = (source, mark) => `(function () {\n${source}\n})()${mark}`;
const scripts = parsers.map((source) => new vm.Script(wrap(source, "")));

function run(number) {
  const index = number % parsers.length;
  const script = cold ? new vm.Script(wrap(parsers[index], `//${number}`)) : scripts[index];
  const context = vm.createContext({ ...JSON.parse(inputs[index]), Buffer, console: quiet, serial: undefined });
  script.runInContext(context, { timeout: 1000 });
  return JSON.stringify({ payload: context.payload, serial: context.serial });
}

for (let number = 0; number < Math.min(runs, 200); number++) run(number);
const microseconds = [];
const before = process.cpuUsage();
for (let number = 0; number < runs; number++) {
  const started = performance.now();
  run(number);
  microseconds.push((performance.now() - started) * 1000);
}
const { user, system } = process.cpuUsage(before);
process.stdout.write(JSON.stringify({ seconds: (user + system) / 1e6, microseconds }));
