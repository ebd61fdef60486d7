"""What a command tells: on standard error what is wrong, on standard output JSON, or texts that are safe to show."""

import sys
from collections.abc import Collection
from datetime import datetime
from typing import Any

import orjson
from rich.text import Text


class CommandError(Exception):
    """A command could not do what was asked. The message says why, and what to do."""


def say(message: object) -> None:
    """Say something on standard error."""
    sys.stderr.write(f"sluice: {message}\n")


def fail(problem: object) -> int:
    """Say what is wrong, and give the exit code for it."""
    say(problem)
    return 1


def ask(question: str) -> bool:
    """Ask a person at the terminal; whatever is not a yes is a no, and so is the end of the input (Ctrl-D)."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def print_document(document: Any) -> None:
    """Print JSON on standard output, indented: for a person as well."""
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def print_line(document: Any) -> None:
    """Print one line of JSON on standard output; it is not flushed, as thousands may follow."""
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def format_time(time: datetime) -> str:
    """Write a time for people, in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def clean_text(text: str, *, limit: int | None = None, keep: Collection[str] = ()) -> Text:
    """Give a text that is safe to show, cut to ``limit``; what is not printable, nor in ``keep``, is replaced."""
    cut = text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"
    return Text("".join(character if character.isprintable() or character in keep else "�" for character in cut))
