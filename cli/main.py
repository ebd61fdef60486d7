"""The ``sluice`` command: the roles, and the operator's tools."""

import asyncio
import sys
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Annotated, Any

import uvloop
from cyclopts import App, Parameter
from pydantic import ValidationError

from cli.audit import audit
from cli.check import check
from cli.dead import app as dead
from cli.demo import show_demo
from cli.explain import explain
from cli.parser import app as parser
from cli.presets import presets
from cli.process import run_role
from cli.registry import run_registry
from cli.registry_access import RegistryError
from cli.registry_commands import APPS as REGISTRY_APPS
from cli.registry_import import import_definitions
from cli.run import run_with_directory, run_with_registry
from cli.send import send
from common.directory.file import DirectoryError
from common.logs import configure_logs
from common.queue.protocol import QueueUnavailableError, QueueUrlError
from common.serving import PortUnavailableError
from common.settings import Settings
from common.tls import TlsError
from ingest.service import Ingest
from registry.database import DatabaseUnusableError
from registry.secret_key import SecretKeyError
from workers.service import Worker

app = App(
    name="sluice",
    help="Takes bursts of uplinks over HTTPS and passes them on without losing one.",
    version=lambda: version("sluice"),
)

Flags = Annotated[Settings | None, Parameter(name="*")]
"""Every setting as a flag; what no flag gives comes from the environment (``SLUICE_…``)."""


@app.command
def run(*, demo: Annotated[bool, Parameter(negative=())] = False, settings: Flags = None) -> None:
    """Run everything in one process: ingest, worker, and the registry on storage of its own.

    Where the directory's file exists, or is the URL of a registry, it is used instead of one in this process, and its
    downstream is posted to.

    Parameters
    ----------
    demo
        Create devices and keys, send a few uplinks, and show where they landed.
    settings
        Every setting as a flag; what no flag gives comes from the environment.

    """
    settings = settings or Settings()
    if demo and "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "WARNING"})
    if settings.directory_url is None and not settings.directory_file.exists():
        _run(settings, run_with_registry(settings, show_demo if demo else None))
    elif demo:
        sys.exit(f"sluice: the demo shows the registry, but {settings.directory} would be used in its place")
    else:
        _run(settings, run_with_directory(settings))


@app.command
def ingest(*, settings: Flags = None) -> None:
    """Serve POST /uplink: authenticate, validate, put into the queue, answer 202."""
    settings = settings or Settings()
    _run(settings, run_role(settings, Ingest))


@app.command
def worker(*, settings: Flags = None) -> None:
    """Take uplinks from the queue: map, resolve, post, settle. Run as many as the load asks for."""
    settings = settings or Settings()
    _run(settings, run_role(settings, Worker))


registry_role = App(name="registry")


@registry_role.default
def registry(*, settings: Flags = None) -> None:
    """Serve networks, connectors, devices, keys and data, and the directory of the other roles."""
    settings = settings or Settings()
    _run(settings, run_registry(settings))


registry_role.command(import_definitions, name="import")
app.command(registry_role)
app.command(check)
app.command(explain)
app.command(presets)
app.command(send)
for registry_app in REGISTRY_APPS:
    app.command(registry_app)

app.command(dead)
app.command(parser)
app.command(audit)


START_ERRORS = (
    DirectoryError,
    QueueUrlError,
    QueueUnavailableError,  # a queue that somebody else consumes already, or a file that cannot be used
    PortUnavailableError,
    TlsError,
    DatabaseUnusableError,
    SecretKeyError,
)
"""What an operator can mend; each says how. Anything else is a bug, and shows its traceback."""


def main() -> None:
    """Run the command line."""
    try:
        app()
    except ValidationError as error:  # of an environment variable; flags are checked by the command line
        for problem in error.errors(include_input=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"sluice: SLUICE_{name}: {problem['msg']}", file=sys.stderr)  # noqa: T201 - the terminal is who asked
        sys.exit(1)
    except (RegistryError, TlsError) as error:
        sys.exit(f"sluice: {error}")


def _run(settings: Settings, running: Coroutine[Any, Any, None]) -> None:
    configure_logs(
        level=settings.log_level.upper(),
        json=settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty()),
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(running)
    except* START_ERRORS as group:
        message = "; ".join(str(error) for error in _leaves(group))
        sys.exit(f"sluice: {message}")


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    """Give the errors themselves; those of tasks come in groups within groups."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
