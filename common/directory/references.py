"""References to the environment in the values of a document: ``"${NAME}"``, also inside a longer string."""

import re
from collections.abc import Mapping
from typing import Any

from common.directory.problems import KeyPath, Problems

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def resolve_references(value: Any, environ: Mapping[str, str], problems: Problems, path: KeyPath = ()) -> Any:
    """Give the value with every reference replaced; a string with one that cannot be is noted, and stays as it is.

    What the environment gives is taken literally: a ``${`` in it is no reference.
    """
    if isinstance(value, dict):
        return {key: resolve_references(member, environ, problems, (*path, key)) for key, member in value.items()}
    if not isinstance(value, str):
        return value
    message = _find_problem(value, environ)
    if message is not None:
        problems.add(path, message)
        return value
    return _REFERENCE.sub(lambda reference: environ[reference[1]], value)


def _find_problem(text: str, environ: Mapping[str, str]) -> str | None:
    names = _REFERENCE.findall(text)
    if "${" in _REFERENCE.sub("", text) or not all(map(_NAME.fullmatch, names)):
        # what stands there is not repeated: it may be a token that somebody put between braces
        return 'refers to the environment wrongly; write "${NAME}", with letters, digits and _ in the name'
    unset = sorted({name for name in names if name not in environ})
    if unset:
        return f"refers to {' and '.join(unset)}, which the environment does not have; set it there and start anew"
    return None
