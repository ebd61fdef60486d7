"""What can be said of a parser's source without running it: which of the globals that there are it uses."""

import re
from collections.abc import Iterator

GLOBALS = frozenset({"payload", "raw_payload", "device", "serial", "Buffer", "console", "dayjs", "timeUtils"})
"""What a parser is given beside the language itself."""

ABSENT = frozenset(
    {
        *("require", "module", "exports", "process", "global", "window", "fetch", "XMLHttpRequest", "setTimeout"),
        *("setInterval", "setImmediate", "atob", "btoa", "TextDecoder", "TextEncoder", "URL", "crypto", "moment"),
        *("WebAssembly", "SharedArrayBuffer", "Atomics", "loraPacket"),
    }
)
"""What is found elsewhere, and missing here; ``typeof`` tells a parser so."""

_TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/                                    # comments
    |'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"                  # strings
    |(?P<template>`(?:\\.|[^`\\])*`)                          # its expressions are looked into
    |\.\.\.                                                   # what is spread may be one
    |\??\.\s*[A-Za-z_$][\w$]*                                 # a property is not a global
    |(?P<key>[{,]\s*[A-Za-z_$][\w$]*\s*:)                     # nor is the name of one
    |(?P<name>[A-Za-z_$][\w$]*)
    |[)\]}\w$]\s*/(?![/*])                                    # a division, not the beginning of a regular expression
    |/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/[a-z]*       # regular expressions
    """,
    re.VERBOSE | re.DOTALL,
)
_DIVISION = re.compile(r"\s*/(?![/*])")
_EXPRESSION = re.compile(r"\$\{([^}]*)\}")
_BEFORE_OPERAND = frozenset({"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do"})


def find_globals(source: str) -> set[str]:
    """Give the globals that a source names, those of ours and those that are missing.

    It reads tokens and no scopes: a local variable of the same name counts as well.
    """
    return {name for name in _find_names(source) if name in GLOBALS or name in ABSENT}


def _find_names(source: str) -> Iterator[str]:
    position = 0
    while token := _TOKENS.search(source, position):
        position = token.end()
        if token["template"]:
            for expression in _EXPRESSION.findall(token["template"]):
                yield from _find_names(expression)
        elif name := token["name"]:
            yield name
            if name not in _BEFORE_OPERAND and (division := _DIVISION.match(source, position)):
                position = division.end()
