"""The directory's file, looked at before anybody relies on it."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cli.diagnostics import Diagnostic, Severity
from common.directory.document import parse_directory
from common.directory.model import AuthorizationKey, Directory, Network
from common.directory.problems import DirectoryError, KeyPath, format_key_path
from common.fields.contradictions import find_contradictions

PLACEHOLDERS = frozenset("XNH#?*_")
"""What other systems write for a character of a serial; in a format it stands for itself."""

_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")
_KEY = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))""")


def check_file(file: Path, content: bytes, environ: Mapping[str, str], downstream_url: str | None) -> list[Diagnostic]:
    """Look at the content of a directory's file; ``downstream_url`` takes the place of its URL."""
    lines = content.decode(errors="replace").splitlines()
    try:
        directory = parse_directory(content, file=str(file), environ=environ, downstream_url=downstream_url)
    except DirectoryError as error:
        if not error.problems:  # no TOML, and the message says at which line and column
            return [Diagnostic(Severity.MISTAKE, str(file), str(error).removeprefix(f"{file}: "))]
        return [_locate(Severity.MISTAKE, file, lines, path, message) for path, message in error.problems]
    diagnostics = [
        _locate(severity, file, lines, path, message) for severity, path, message in check_directory(directory)
    ]
    return diagnostics or [Diagnostic(Severity.FINE, str(file), count_entries(directory))]


def count_entries(directory: Directory) -> str:
    """Say how much is in a directory."""
    networks, keys = len(directory.networks), len(directory.keys)
    return f"{networks} network{'' if networks == 1 else 's'}, {keys} key{'' if keys == 1 else 's'}"


def check_directory(directory: Directory) -> Iterator[tuple[Severity, KeyPath, str]]:
    """Give what is wrong with a directory that can be read, each with its place."""
    yield from _check_downstream(directory)
    used = {key.network for key in directory.keys}
    for network in directory.networks:
        yield from _check_format(network)
        if network.id not in used:
            yield Severity.WARNING, ("networks", network.id), "no key belongs to it"
    for key in directory.keys:
        yield from _check_key(key, datetime.now(UTC))


def _check_downstream(directory: Directory) -> Iterator[tuple[Severity, KeyPath, str]]:
    downstream = directory.downstream
    host = urlsplit(downstream.url).hostname or ""
    if ".middleware." in host:
        message = "is where gateways send to, not the API; write your region's API, as in https://api.us-e1.tago.io"
        yield Severity.MISTAKE, ("downstream", "url"), message
    elif host.endswith("tago.io") and not downstream.posts_per_minute:
        message = "is not set, and TagoIO refuses more than the plan's 250, 5,000 or 15,000 posts a minute; set it"
        yield Severity.WARNING, ("downstream", "posts_per_minute"), message


def _check_format(network: Network) -> Iterator[tuple[Severity, KeyPath, str]]:
    place = ("networks", network.id, "serial", "format")
    form = network.serial.format
    if not form:
        return
    meaning = "F is a hexadecimal digit, A a letter, 0 a digit, P a letter or digit"
    odd = sorted(PLACEHOLDERS.intersection(network.serial.literals.upper()))
    if network.serial.literals == form.replace("-", ""):
        yield Severity.MISTAKE, place, f"only the serial {form.replace('-', '')!r} fits; {meaning}"
    elif odd:
        yield Severity.WARNING, place, f"{', '.join(odd)} stands for itself and nothing else; {meaning}"


def _check_key(key: AuthorizationKey, now: datetime) -> Iterator[tuple[Severity, KeyPath, str]]:
    for message in find_contradictions(key.field_map):
        yield Severity.MISTAKE, ("authorizations", key.id, "additional_parameters"), message
    if not key.enabled:
        yield Severity.WARNING, ("authorizations", key.id, "enabled"), "is false: what this key sends is answered 403"
    elif not key.may_send(now):
        yield Severity.WARNING, ("authorizations", key.id, "expires_at"), "is past: what this key sends is answered 403"


def _locate(severity: Severity, file: Path, lines: list[str], path: KeyPath, message: str) -> Diagnostic:
    line = find_line(lines, path)
    subject = str(file) if line is None else f"{file}:{line}"
    return Diagnostic(severity, subject, message, format_key_path(path))


def find_line(lines: list[str], path: KeyPath) -> int | None:
    """Give the number, from 1, of the line where a field stands, else that of its table, as far as it can be seen."""
    depth = 1 if path[0] == "downstream" else 2
    table_line = None
    here: KeyPath = ()
    for number, line in enumerate(lines, start=1):
        if header := _HEADER.match(line):
            here = _split_keys(header[1])
            if here == path[:depth]:
                table_line = number
        elif len(path) > depth and here == path[:depth] and _split_keys(line)[:1] == path[depth : depth + 1]:
            return number
    return table_line


def _split_keys(text: str) -> KeyPath:
    keys: list[str] = []
    position = 0
    while found := _KEY.match(text, position):
        keys.append(next(group for group in found.groups() if group))
        position = found.end()
        if not text[position:].lstrip().startswith("."):
            break
        position = text.index(".", position) + 1
    return tuple(keys)
