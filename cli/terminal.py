"""What a command tells: on standard error what is wrong, on standard output the JSON that was asked for."""

import sys
from typing import Any

import orjson


class CommandError(Exception):
    """A command could not do what was asked. The message says why, and what to do."""


def say(message: object) -> None:
    """Say something on standard error."""
    sys.stderr.write(f"sluice: {message}\n")


def fail(problem: object) -> int:
    """Say what is wrong, and give the exit code for it."""
    say(problem)
    return 1


def print_document(document: Any) -> None:
    """Print JSON on standard output, indented: for a person as well."""
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def print_line(document: Any) -> None:
    """Print one line of JSON on standard output; it is not flushed, as thousands may follow."""
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
