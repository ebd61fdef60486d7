// Runs one parser, as often as asked, so that no run sees anything of another.
//
// Before a run the globals are swept: before and not after, so that what the last one put off has happened by then. What
// decoders extend or inherit from can be extended and inherited from, and is looked at then as well: what was added is
// removed, what was assigned is put back, and where that is not possible the isolate has to go. Everything else of the
// language is frozen. Freezing all of it would break decoders that assign an inherited name.

const RESULT_CHARACTERS = 1000000;

// Taken before any parser runs: what it does to them later is not asked.
const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, isExtensible, deleteProperty, apply } = Reflect;
const { freeze, defineProperty } = Object;
const { isArray } = Array;
const { parse, stringify } = JSON;
const compile = Function;
const everything = globalThis;

// No memory shared between threads, nothing that waits, no second machine language; and of what may run after a run is
// over only what is watched.
const REMOVED = ["Atomics", "SharedArrayBuffer", "WebAssembly", "FinalizationRegistry", "WeakRef", "Temporal",
  "AsyncDisposableStack"];

// The engine's host declares these in a way that cannot be deleted; a class beside them is no property at all.
const EMPTIED = ["setTimeout", "clearTimeout", "__timer_manager"];
const HOST_CLASSES = [__TimerManager];

// Decoders add to these or inherit from them, and may assign what is there already.
const WRITABLE = [
  everything, Object, Object.prototype, Function.prototype, Array, Array.prototype, String, String.prototype,
  Number, Number.prototype, Boolean.prototype, Date, Date.prototype, Error,
  ...[Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((kind) => kind.prototype),
];

// Decoders add to these.
const EXTENSIBLE = [Math, JSON, RegExp.prototype, Buffer, Buffer.prototype, Uint8Array.prototype];

// Objects of the language that no property leads to.
function findHidden() {
  Error.prepareStackTrace = (_, frames) => frames;
  const [frame] = new Error().stack;
  delete Error.prepareStackTrace;
  const segments = new Intl.Segmenter().segment("");
  return [
    [][Symbol.iterator](), ""[Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](),
    "".matchAll(/./g), [].values().map((item) => item), Iterator.from({ next() {} }), segments,
    segments[Symbol.iterator](), function* () {}, async function () {}, async function* () {}, frame,
  ].map((instance) => getPrototypeOf(instance));
}

function findReachable(roots) {
  const found = new Set();
  const waiting = [...roots];
  while (waiting.length) {
    const value = waiting.pop();
    if ((typeof value !== "object" || value === null) && typeof value !== "function") continue;
    if (found.has(value)) continue;
    found.add(value);
    waiting.push(getPrototypeOf(value));
    for (const key of ownKeys(value)) {
      const { value: member, get, set } = getOwnPropertyDescriptor(value, key);
      waiting.push(member, get, set);
    }
  }
  return found;
}

// What the registry reads without asking: that a run has begun, or that it may have put something off.
const BEGUN = 1;
const UNSETTLED = 2;
const progress = new Uint8Array(1);

let evalTouched = false;
let attributesTouched = false;

// Has somebody know when a property is read. Nobody else can get at its value.
function watchReading(target, name, onRead) {
  const { value, enumerable } = getOwnPropertyDescriptor(target, name);
  const get = () => {
    onRead();
    return value;
  };
  defineProperty(target, name, { get: freeze(get), set: undefined, enumerable, configurable: true });
}

// Nothing else makes a property that cannot be assigned of one that can, and leaves its object extensible.
function watchAttributes() {
  const noteAttributes = () => {
    attributesTouched = true;
  };
  for (const name of ["defineProperty", "defineProperties"]) watchReading(Object, name, noteAttributes);
  watchReading(Reflect, "defineProperty", noteAttributes);
}

function watchWhatRunsLater() {
  const noteUnsettled = () => {
    progress[0] = UNSETTLED;
  };
  watchReading(everything, "Promise", noteUnsettled);
  watchReading(Promise.prototype, "constructor", noteUnsettled);
  // Code that is made while a parser runs may be asynchronous; of a parser's own source that is known before.
  watchReading(everything, "Function", noteUnsettled);
  for (const kind of [function () {}, function* () {}, async function () {}, async function* () {}]) {
    watchReading(getPrototypeOf(kind), "constructor", noteUnsettled);
  }
  watchReading(everything, "eval", () => {
    noteUnsettled();
    evalTouched = true; // what it declares outside of any function cannot be found again, and so cannot be swept
  });
}

// Fixes the properties that an object has: they stay, and stay what they are but for a value that may be assigned.
function fixProperties(target, writable) {
  for (const key of ownKeys(target)) {
    const { value, configurable, writable: wasWritable } = getOwnPropertyDescriptor(target, key);
    if (!configurable) continue;
    const fixed = wasWritable === undefined ? {} : { value, writable: writable && wasWritable };
    defineProperty(target, key, { ...fixed, configurable: false });
  }
}

function rememberState(target) {
  const keys = new Set(ownKeys(target));
  return { target, prototype: getPrototypeOf(target), size: keys.size, isKnown: keys.has.bind(keys) };
}

// Removes what was added; false where that is not possible, or something else is not as it was.
function sweep({ target, prototype, size, isKnown }) {
  if (getPrototypeOf(target) !== prototype || !isExtensible(target)) return false;
  const keys = ownKeys(target);
  if (keys.length === size) return true; // those that were there cannot be removed
  for (let i = 0; i < keys.length; i++) {
    if (!isKnown(keys[i]) && !deleteProperty(target, keys[i])) return false;
  }
  return true;
}

// Gives two functions for the properties that may be assigned: whether all of them have their values, and one that
// assigns them, and throws where one cannot be assigned any more. The first is much the faster one.
function rememberValues(targets) {
  const names = [];
  const values = [];
  const places = [];
  targets.forEach((target, t) => {
    for (const key of ownKeys(target)) {
      const { value, writable } = getOwnPropertyDescriptor(target, key);
      if (!writable) continue;
      values.push(value);
      places.push(`t${t}${typeof key === "symbol" ? `[names[${names.push(key) - 1}]]` : `[${stringify(key)}]`}`);
    }
  });
  const opening = `"use strict"; const [${targets.map((_, t) => `t${t}`)}] = targets;`;
  const make = (body) =>
    compile("targets", "names", "values", `${opening} return () => { ${body} };`)(targets, names, values);
  return {
    haveValues: make(`return ${places.map((place, i) => `${place} === values[${i}]`).join("\n&& ")};`),
    restoreValues: make(places.map((place, i) => `${place} = values[${i}];`).join("\n")),
  };
}

function defineGlobals(globals) {
  for (const name of Object.keys(globals)) {
    defineProperty(everything, name, { value: globals[name], writable: true, enumerable: false, configurable: true });
  }
}

const GIVEN = ["payload", "raw_payload", "device", "serial"]; // assigned for every run, and never removed: that is slow
defineGlobals({ Buffer, console: freeze(parserConsole), dayjs, timeUtils });
defineGlobals(Object.fromEntries(GIVEN.map((name) => [name, undefined])));
const reachable = findReachable([everything, ...HOST_CLASSES, ...findHidden()]);
for (const name of REMOVED) delete everything[name];
delete Array.fromAsync;
for (const name of EMPTIED) defineProperty(everything, name, { value: undefined, writable: false });
watchWhatRunsLater();
watchAttributes();
for (const target of WRITABLE) fixProperties(target, true);
for (const target of EXTENSIBLE) fixProperties(target, false);
const watched = new Set([...WRITABLE, ...EXTENSIBLE]);
for (const value of reachable) if (!watched.has(value)) freeze(value);
const states = [...watched].map(rememberState);
const { haveValues, restoreValues } = rememberValues(WRITABLE);
const emptyMatch = RegExp.prototype.exec.bind(/(?:)/, "");

function sweepAll() {
  if (evalTouched) return false;
  for (let i = 0; i < states.length; i++) if (!sweep(states[i])) return false;
  try {
    for (let i = 0; i < GIVEN.length; i++) everything[GIVEN[i]] = undefined;
    if (attributesTouched || !haveValues()) restoreValues();
  } catch {
    return false; // one of them cannot be assigned any more
  }
  attributesTouched = false;
  emptyMatch();
  consoleLines = [];
  return true;
}

function describeType(value) {
  if (value === undefined || value === null) return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function toPlain(_, value) {
  return typeof value === "bigint" ? Number(value) : value;
}

function report() {
  const payload = everything.payload;
  if (!isArray(payload)) {
    return stringify({
      refused: `payload must be an array of records when the parser ends; it is ${describeType(payload)}`,
      console: consoleLines,
    });
  }
  const text = stringify({ payload, serial: everything.serial, console: consoleLines }, toPlain);
  if (typeof text === "string" && text.length <= RESULT_CHARACTERS) return text;
  const refused = typeof text === "string" ? `the result is larger than ${RESULT_CHARACTERS} characters`
    : "payload cannot be written as JSON";
  return stringify({ refused, console: consoleLines });
}

let makeParser;
let isAsynchronous;

return {
  progress,

  // Compile a parser. A body that closes its function early is a syntax error here.
  load(source) {
    compile(source);
    isAsynchronous = /\b(?:async|import)\b/.test(source);
    makeParser = compile(`return function () {\n${source}\n};\n//# sourceURL=parser`);
  },
  // Run it on the input of one uplink; null where the isolate cannot be used again. The function is a new one each
  // time, for a function can be written to.
  run(input) {
    progress[0] = BEGUN;
    if (!sweepAll()) return null;
    if (isAsynchronous) progress[0] = UNSETTLED;
    const { payload, raw_payload, device } = parse(input);
    everything.payload = payload;
    everything.raw_payload = raw_payload;
    everything.device = device;
    apply(makeParser(), undefined, []);
    return report();
  },
  settle() {},
  console: () => stringify(consoleLines),
};
