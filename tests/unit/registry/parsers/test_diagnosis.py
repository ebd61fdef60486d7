"""Errors in the terms of the author's source: message, line and column."""

import pytest

from registry.parsers.diagnosis import MESSAGE_CHARACTERS, diagnose_run
from tests.unit.registry.parsers.runs import Runs, parser_of

TYPESCRIPT = "this is TypeScript, which is not run: compile it to JavaScript first"
MODULE = "import and export are not there: a parser is the body of a function"
BAD_JSON = "SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ("payload.find(x => x.y.z)", 1, 23, "TypeError: Cannot read properties of undefined (reading 'z')"),
        ("\n\n  undefinedName;", 3, 3, "ReferenceError: undefinedName is not defined"),
        ("let a;\nthrow new Error('two\\nlines');", 2, 7, "Error: two\nlines"),
        ("throw 'text';", 1, 1, "text"),
        ("\nthrow { message: 'object' };", 2, 1, "[object Object]"),
        ("throw null;", 1, 1, "null"),
        ("throw '';", 1, 1, "an exception without a message"),
        ("const b = Buffer.alloc(1);\nb.readUInt16BE(0);", 2, 3,
         "RangeError: Attempt to access memory outside buffer bounds"),
        ("JSON.parse('{');", 1, 6, BAD_JSON),
        ("function fail() {\n  throw new TypeError('deep');\n}\nfail();", 2, 9, "TypeError: deep"),
        ("eval('null.x');", 1, 1, "TypeError: Cannot read properties of null (reading 'x')"),
        ("new Function('throw new Error(1)')();", 1, 35, "Error: 1"),
        ("throw new Error('at parser:900:1');", 1, 7, "Error: at parser:900:1"),
    ],
)  # fmt: skip
async def test_an_exception_has_its_place(runs: Runs, source: str, line: int, column: int, message: str) -> None:
    failed = await runs.fail(source)
    assert (failed.message, failed.line, failed.column) == (message, line, column)


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ("const a = ;", 1, 11, "SyntaxError: Unexpected token ';'"),
        ("if (1) {\n", 2, None, "SyntaxError: the parser ends before everything that it opened is closed"),
        ("// only\nlet x = `", 2, None, "SyntaxError: the parser ends before everything that it opened is closed"),
        ("const t: number = 3;", 1, 7,
         f"{TYPESCRIPT} (SyntaxError: Missing initializer in const declaration)"),
        ("interface Reading {\n  value: string;\n}", 1, 11,
         f"{TYPESCRIPT} (SyntaxError: Unexpected identifier 'Reading')"),
        ("function f(b: Buffer): number { return b[0] }", 1, 13,
         f"{TYPESCRIPT} (SyntaxError: Unexpected token ':')"),
        ("import fs from 'fs';", 1, 1,
         f"{MODULE} (SyntaxError: Cannot use import statement outside a module)"),
    ],
)  # fmt: skip
async def test_a_syntax_error_has_its_place_and_its_reason(
    runs: Runs, source: str, line: int, column: int | None, message: str
) -> None:
    failed = await runs.fail(source)
    assert (failed.message, failed.line, failed.column) == (message, line, column)
    compiled = await runs.pool.compile(parser_of(source))
    assert str(compiled) == str(failed)


async def test_what_looks_like_typescript_in_a_comment_is_run(runs: Runs) -> None:
    assert (await runs.decode("// const t: number = 3;\npayload = [];")).records == []


async def test_a_message_is_cut(runs: Runs) -> None:
    failed = await runs.fail("throw new Error('x'.repeat(5000));")
    assert len(failed.message) == MESSAGE_CHARACTERS
    assert failed.message.endswith("x…")


@pytest.mark.parametrize("report", ["", "nothing of the usual", "parser:7: Error: no more than this"])
async def test_a_report_of_another_form_is_shown_as_it_is(report: str) -> None:
    assert diagnose_run(report).message
