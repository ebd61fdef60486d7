"""The ``sluice`` command: the roles, and the operator's tools."""

import asyncio
import sys
from typing import Annotated

import uvloop
from cyclopts import App, Parameter

from cli.dead import list_dead
from cli.process import CreateRole, run_roles
from cli.send import send
from common.directory.file import DirectoryError
from common.logs import configure_logs
from common.settings import Settings
from ingest.service import Ingest
from workers.service import Worker

app = App(name="sluice", help="Takes bursts of uplinks over HTTPS and passes them on without losing one.")

Flags = Annotated[Settings | None, Parameter(name="*")]
"""Every setting as a flag; what no flag gives comes from the environment (``SLUICE_…``)."""


@app.command
def ingest(*, settings: Flags = None) -> None:
    """Serve POST /uplink: authenticate, validate, put into the queue, answer 202."""
    _run(settings or Settings(), Ingest)


@app.command
def worker(*, settings: Flags = None) -> None:
    """Take uplinks from the queue: map, resolve, post, settle. Run as many as the load asks for."""
    _run(settings or Settings(), Worker)


app.command(send)

dead = App(name="dead", help="The uplinks that ended as dead letters.")
dead.command(list_dead, name="list")
app.command(dead)


def main() -> None:
    """Run the command line."""
    app()


def _run(settings: Settings, *roles: CreateRole) -> None:
    configure_logs(
        level=settings.log_level.upper(),
        json=settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty()),
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_roles(settings, roles))
    except* (DirectoryError, OSError, ValueError) as group:
        for error in group.exceptions:
            print(f"sluice: {error}", file=sys.stderr)  # noqa: T201 - the terminal is who asked
        sys.exit(1)
