"""The ``sluice`` command: the roles, and the operator's tools."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import uvloop
from cyclopts import App, Parameter
from pydantic import ValidationError

from cli.dead import list_dead
from cli.demo import show_demo
from cli.process import run_role
from cli.run import run_with_file, run_with_registry
from cli.send import send
from common.directory.file import DirectoryError
from common.logs import configure_logs
from common.queue.protocol import QueueUnavailableError, QueueUrlError
from common.serving import PortUnavailableError
from common.settings import Settings
from ingest.service import Ingest
from registry.database import DatabaseUnusableError
from registry.secret_key import SecretKeyError
from workers.service import Worker

app = App(name="sluice", help="Takes bursts of uplinks over HTTPS and passes them on without losing one.")

Flags = Annotated[Settings | None, Parameter(name="*")]
"""Every setting as a flag; what no flag gives comes from the environment (``SLUICE_…``)."""


@app.command
def run(*, demo: Annotated[bool, Parameter(negative=())] = False, settings: Flags = None) -> None:
    """Run everything in one process: ingest, worker, and the registry on storage of its own.

    Where the directory's file exists, it is used instead of the registry, and its downstream is posted to.

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
    if not settings.directory.exists():
        _run(settings, run_with_registry(settings, show_demo if demo else None))
    elif demo:
        sys.exit(f"sluice: the demo shows the registry, but {settings.directory} would be used in its place")
    else:
        _run(settings, run_with_file(settings))


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


app.command(send)

dead = App(name="dead", help="The uplinks that ended as dead letters.")
dead.command(list_dead, name="list")
app.command(dead)


START_ERRORS = (
    DirectoryError,
    QueueUrlError,
    QueueUnavailableError,  # a queue that somebody else consumes already, or a file that cannot be used
    PortUnavailableError,
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
