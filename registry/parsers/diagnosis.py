"""What V8 says of a parser that failed, in terms of its author's source."""

import re
from dataclasses import dataclass

MESSAGE_CHARACTERS = 400
"""Of V8's message; with the place before it, a dead letter holds all of it."""

WRAPPED_LINES = 3
"""Lines before the author's first when a parser runs; it bears the name ``parser`` then."""

COMPILED_LINES = 2
"""Lines before the author's first when a parser is compiled; it has no name then."""

_HEAD = re.compile(r"(?P<script>[^\n:]*):(?P<line>\d+): ")
_SOURCE_LINE = re.compile(r"\n[^\n]*\n(?P<blank>[^\n]*?)\^+(?:\n|$)")
_FRAME = re.compile(r"^    at [^\n]*?\bparser:(\d+):(\d+)", re.MULTILINE)

_TYPESCRIPT = re.compile(
    r"""^\s*(?:export\s+)?(?:interface\s+\w+|enum\s+\w+\s*\{|type\s+\w+\s*=|declare\s)   # declarations
    |^\s*import\s+type\b
    |(?:\b(?:const|let|var)\s+\w+|[(,]\s*\w+\??|\))\s*:\s*(?:string|number|boolean|any|unknown|void|Buffer|[A-Z]\w*)\b
    |\bas\s+(?:any|string|number|boolean|unknown|const|[A-Z]\w*)\b
    """,
    re.MULTILINE | re.VERBOSE,
)
_MODULE = re.compile(r"^\s*(?:import\b[^(]|export\b)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A message, and its place in the author's source, counted from 1."""

    message: str
    line: int | None = None
    column: int | None = None


def diagnose_run(report: str) -> Diagnosis:
    """Read what V8 reports of an exception that a parser did not catch."""
    script, line, column, message, stack = _read_report(report)
    # Where it was made, or where the author called what made it; only what is no Error has no stack.
    if frame := _FRAME.search(stack):
        return Diagnosis(message, int(frame[1]) - WRAPPED_LINES, int(frame[2]))
    return Diagnosis(message, line - WRAPPED_LINES, column) if script == "parser" else Diagnosis(message)


def diagnose_syntax(report: str, source: str) -> Diagnosis:
    """Read what V8 reports of a source that cannot be compiled, and say so where it is not JavaScript at all."""
    _, line, column, message, _ = _read_report(report)
    line -= COMPILED_LINES
    lines = source.count("\n") + 1
    if line > lines:
        line, column, message = lines, None, "SyntaxError: the parser ends before everything that it opened is closed"
    if _TYPESCRIPT.search(source):
        message = f"this is TypeScript, which is not run: compile it to JavaScript first ({message})"
    elif _MODULE.search(source):
        message = f"import and export are not there: a parser is the body of a function ({message})"
    return Diagnosis(message, line, column)


def _read_report(report: str) -> tuple[str, int, int | None, str, str]:
    """Give the script, the line and the column in it, the message, and the stack."""
    head = _HEAD.match(report)
    if head is None:
        return "", 0, None, _shorten(report), ""
    shown = _SOURCE_LINE.search(report, head.end() - 1)
    if shown is None:
        return head["script"], int(head["line"]), None, _shorten(report[head.end() :]), ""
    message = _shorten(report[head.end() : shown.start()])
    return head["script"], int(head["line"]), len(shown["blank"]) + 1, message, report[shown.end() :]


def _shorten(message: str) -> str:
    text = message.strip() or "an exception without a message"
    return text if len(text) <= MESSAGE_CHARACTERS else f"{text[: MESSAGE_CHARACTERS - 1]}…"
