"""The settings, looked at before anything starts: what cannot be, and what nobody reads."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from cli.diagnostics import Diagnostic, Severity
from cli.registry_access import RegistryAccess
from common.settings import Settings
from common.tls import NO_FILES, ServerTls, TlsError, create_client_context
from common.validation import describe_error

PREFIX = "SLUICE_"

TYPING_ERROR = 0.8
"""How alike two names are, of 1, when one is a slip of the other."""

SETTINGS = frozenset(PREFIX + name.upper() for model in (Settings, RegistryAccess) for name in model.model_fields) | {
    "SLUICE_AUTHORIZATION"
}
"""Every environment variable that Sluice reads by itself."""

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_QUEUE_URL = re.compile(r"amqps?://.+|sqlite:(?!//).+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CheckedSettings:
    """The settings as far as they can be used, with defaults in place of those that cannot."""

    settings: Settings
    diagnostics: list[Diagnostic]


def check_settings(environ: Mapping[str, str], flags: Mapping[str, Any], *, referred_to: str = "") -> CheckedSettings:
    """Look at the environment's settings and the flags that override them.

    ``referred_to`` is the text of the directory, which may refer to any name. No value is repeated: it may be a secret.
    """
    diagnostics: list[Diagnostic] = []
    try:
        settings = Settings(**flags)
    except ValidationError as error:
        broken = {
            str(each["loc"][0]): describe_error(each) for each in error.errors(include_input=False, include_url=False)
        }
        diagnostics += [_mistake(PREFIX + name.upper(), message) for name, message in broken.items()]
        usable = {name: Settings.model_fields[name].default for name in broken}
        settings = Settings(**{**flags, **usable})
    diagnostics += _find_unknown(environ, frozenset(_REFERENCE.findall(referred_to)))
    diagnostics += _check_queue(settings)
    diagnostics += _check_tls(settings)
    if not diagnostics:
        diagnostics.append(Diagnostic(Severity.FINE, "settings", _count_given(environ)))
    return CheckedSettings(settings, diagnostics)


def _find_unknown(environ: Mapping[str, str], referred_to: frozenset[str]) -> Iterator[Diagnostic]:
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name.upper() in SETTINGS or name in referred_to:
            continue
        if close := get_close_matches(name.upper(), sorted(SETTINGS), n=1, cutoff=TYPING_ERROR):
            yield _mistake(name, f"there is no such setting; did you mean {close[0]}?")
        else:
            yield Diagnostic(Severity.WARNING, "settings", "there is no such setting, and nothing is like it", name)


def _check_queue(settings: Settings) -> Iterator[Diagnostic]:
    if not _QUEUE_URL.fullmatch(settings.queue):
        message = "must be amqp://… or amqps://… (RabbitMQ), or sqlite:PATH, as in sqlite:var/queue.db"
        yield _mistake("SLUICE_QUEUE", message)


def _check_tls(settings: Settings) -> Iterator[Diagnostic]:
    if settings.tls == NO_FILES:
        return
    try:
        create_client_context(settings.tls)
        ServerTls(settings.tls)
    except TlsError as error:
        yield Diagnostic(Severity.MISTAKE, "settings", str(error))


def _count_given(environ: Mapping[str, str]) -> str:
    given = sum(name.upper() in SETTINGS for name in environ)
    return f"{given} from the environment, the defaults for the rest"


def _mistake(name: str, message: str) -> Diagnostic:
    return Diagnostic(Severity.MISTAKE, "settings", message, name)
