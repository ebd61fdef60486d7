"""Nothing of one run is visible to the next, whatever the parser does; and decoders may do what they do."""

import pytest

from tests.unit.registry.parsers.runs import Runs

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEAVE_BEHIND = {
    "a global": ("found = 1;", "typeof found"),
    "a global that cannot be deleted": ("Object.defineProperty(globalThis, 'found', { value: 1 });", "typeof found"),
    "a global function": ("found = () => 1;", "typeof found"),
    "the payload": ("payload.secret = 1;", "payload.secret"),
    "the serial": ("serial = 'A';", "typeof serial"),
    "a method": ("Array.prototype.found = 1;", "typeof [].found"),
    "a replaced method": ("String.prototype.trim = () => 'found';", "''.trim()"),
    "a method that became a getter": (
        "const m = [].map; Object.defineProperty(Array.prototype, 'map', { get() { return m; }, configurable: true });",
        "String(Object.getOwnPropertyDescriptor(Array.prototype, 'map').get)",
    ),
    "a method that cannot be written any more": (
        "Object.defineProperty(Array.prototype, 'push', { writable: false });",
        "Object.getOwnPropertyDescriptor(Array.prototype, 'push').writable",
    ),
    "a method that is enumerable": (
        "Object.defineProperty(Object.prototype, 'toString', { enumerable: true });",
        "Object.keys(Object.prototype).length",
    ),
    "a frozen prototype": ("Object.freeze(Array.prototype);", "Object.isFrozen(Array.prototype)"),
    "another prototype": (
        "Object.setPrototypeOf(Array.prototype, { found: 1 });",
        "Object.getPrototypeOf(Array.prototype) === Object.prototype",
    ),
    "a deleted method": ("delete Array.prototype.map;", "typeof [].map"),
    "a polluted prototype": ("({})['__proto__'].found = 1;", "typeof {}.found"),
    "a frame formatter": ("Error.prepareStackTrace = () => 'found';", "typeof new Error().stack.length"),
    "the last match": ("/secret/.exec('a secret');", "RegExp.lastMatch + RegExp.input + RegExp.leftContext"),
    "a declaration of eval": ("(0, eval)('let found = 1');", "typeof found"),
    "a property of the function": ("arguments.callee.found = 1;", "typeof arguments.callee.found"),
    "something of Buffer": ("Buffer.found = 1; Buffer.prototype.also = 1;", "typeof Buffer.found"),
    "something of a rare prototype": ("Map.prototype.found = 1;", "typeof new Map().found"),
    "something of a hidden prototype": ("[].values().__proto__.found = 1;", "typeof [].values().found"),
    "something of the host": (
        "try { __TimerManager.found = 1 } catch {}",
        "typeof __TimerManager === 'undefined' ? 'undefined' : typeof __TimerManager.found",
    ),
    "a console": ("console.log = () => 0;", "String(console.log).includes('note')"),
    "what runs later": ("Promise.resolve().then(() => { found = 1 });", "typeof found"),
}


@pytest.mark.parametrize("leave", LEAVE_BEHIND)
async def test_the_next_run_does_not_see(runs: Runs, leave: str) -> None:
    """The parser looks first and leaves something behind then, so that its second run could find it."""
    action, look = LEAVE_BEHIND[leave]
    source = f"const seen = {look};\ntry {{ {action} }} catch {{}}\npayload = [{{ variable: 'seen', value: seen }}];"
    first, second, third = [(await runs.decode(source)).records for _ in range(3)]
    assert first == second == third


async def test_a_strict_parser_may_set_serial(runs: Runs) -> None:
    assert await runs.evaluate("(function () { 'use strict'; serial = 'A'; return serial; })()") == "A"


async def test_a_parser_may_assign_names_that_it_inherits(runs: Runs) -> None:
    """Frozen prototypes would have these assignments ignored, or refused in strict code."""
    source = """
    "use strict";
    class Broken extends RangeError { constructor() { super("m"); this.name = "Broken"; this.toString = () => "own"; } }
    const record = {}; record.toString = () => "mine"; record.valueOf = () => 5;
    const list = []; list.map = 1;
    function reader() {} reader.toString = () => "reader"; reader.prototype.constructor = Object;
    payload = [{ variable: "v", value: [new Broken().name, `${record}`, +record, list.map, String(reader)].join() }];
    """
    assert (await runs.decode(source)).records[0]["value"] == "Broken,mine,5,1,reader"


@pytest.mark.parametrize(
    "name", ["require", "process", "fetch", "setTimeout", "WebAssembly", "SharedArrayBuffer", "Atomics", "WeakRef"]
)
async def test_there_is_no_way_out(runs: Runs, name: str) -> None:
    """No file, network, process, clock beside Date, nor memory that another thread would see."""
    assert await runs.evaluate(f"typeof {name}") == "undefined"
    assert await runs.evaluate(f"this.constructor.constructor('return typeof {name}')()") == "undefined"


async def test_what_surrounds_a_parser_cannot_be_found(runs: Runs) -> None:
    """Neither by name, nor by the functions of the stack, which may know each other."""
    source = """
    Error.prepareStackTrace = (_, frames) => frames.map((f) => [typeof f.getFunction(), typeof f.getThis()].join());
    const functions = new Error().stack.slice(1);
    const names = Object.getOwnPropertyNames(globalThis).filter((name) => name.startsWith("cage"));
    payload = [{ variable: "v", value: [...functions, ...names, arguments.callee.caller].join(" ") }];
    """
    assert set((await runs.decode(source)).records[0]["value"].split()) <= {"undefined,undefined", "undefined,object"}
