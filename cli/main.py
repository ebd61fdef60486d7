"""The ``sluice`` command: the roles, and the operator's tools."""

import os
import sys
from importlib.metadata import version

from cyclopts import App, CycloptsError
from pydantic_core import ValidationError

from cli.lazy import LazyCommand, add_lazily
from cli.terminal import CommandError, fail, say
from common.validation import describe_error

USAGE = 2
"""The exit code where nothing was tried: 1 is what a command found, or could not do."""

app = App(
    name="sluice",
    help="Takes bursts of uplinks over HTTPS and passes them on without losing one.",
    version=lambda: version("sluice"),
)

COMMANDS = {
    "run": LazyCommand(
        "cli.run_command:run",
        "Run everything in one process: ingest, worker, console, and the registry on storage of its own.",
    ),
    "ingest": LazyCommand(
        "cli.ingest:ingest",
        "Serve POST /uplink: authenticate, validate, put into the queue, answer 202.",
    ),
    "worker": LazyCommand(
        "cli.worker:worker",
        "Take uplinks from the queue: map, resolve, post, settle. Run as many as the load asks for.",
    ),
    "registry": LazyCommand(
        "cli.registry:app",
        "Serve networks, connectors, devices, keys and data, and the directory of the other roles.",
    ),
    "console": LazyCommand(
        "cli.console:console",
        "Serve the web page: what exists, what is happening, what went wrong.",
    ),
    "check": LazyCommand(
        "cli.check:check",
        "Check the settings and the directory: what cannot work, where, and what to do about it.",
    ),
    "explain": LazyCommand(
        "cli.explain:explain",
        "Show what would become of a request, step by step: nothing is sent, and no running system is needed.",
    ),
    "presets": LazyCommand(
        "cli.presets:presets",
        "List the presets: field maps of known network servers, for a key's additional parameters.",
    ),
    "send": LazyCommand("cli.send:send", "Post uplinks and show how they were answered."),
    "network": LazyCommand("cli.registry_commands:network_app", "The registry's networks."),
    "connector": LazyCommand("cli.registry_commands:connector_app", "The registry's connectors."),
    "device": LazyCommand("cli.registry_commands:device_app", "The registry's devices."),
    "key": LazyCommand("cli.registry_commands:key_app", "The registry's authorization keys: who may send."),
    "token": LazyCommand(
        "cli.registry_commands:token_app", "The tokens by which the registry's networks resolve serials."
    ),
    "tail": LazyCommand(
        "cli.tail:tail",
        "Show what happens to each uplink as it happens, in all processes.",
    ),
    "dead": LazyCommand(
        "cli.dead:app",
        "The uplinks that ended as dead letters: list them, look at one, put them back, or let them go.",
    ),
    "parser": LazyCommand("cli.parser:app", "Payload parsers: JavaScript that makes records of what devices send."),
    "audit": LazyCommand(
        "cli.audit:audit",
        "Say whether every uplink that was accepted was delivered, set aside, is dead, or waits in the queue.",
    ),
}

add_lazily(app, COMMANDS)


def main() -> None:
    """Run the command line. Where whoever reads has read enough (``| head``), the exit code is 1, as Rich has it."""
    try:
        code = run_command()
        if sys.stdout is not None:  # it is where a process was started without one
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at the end
        code = 1
    sys.exit(code)


def run_command() -> int:
    """Run the command that was asked for. Gives the exit code; what could not be done is said on standard error."""
    try:
        code: int = app(sys.argv[1:], exit_on_error=False, result_action="return_int_as_exit_code_else_zero")
    except CycloptsError:  # which it has said
        return USAGE
    except ValidationError as error:  # of an environment variable; flags are checked by the command line
        for problem in error.errors(include_input=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            say(f"SLUICE_{name}: {describe_error(problem)}")
        return USAGE
    except CommandError as error:
        return fail(error)
    return code
