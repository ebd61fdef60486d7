"""``sluice console``: the web page as a process of its own."""

from cli.console_neighbours import NobodySignsInError, create_neighbours
from cli.deployment import SettingsFlags
from cli.process import run_until_stopped
from cli.queue import open_settings_queue
from cli.starting import START_ERRORS, start
from common.settings import Settings
from console.service import Console


def console(*, settings: SettingsFlags = None) -> int:
    """Serve the web page: what exists, what is happening, what went wrong.

    It asks the registry at SLUICE_REGISTRY_URL with the token of whoever signs in, reads the dead letters from the
    queue, and looks at the processes of SLUICE_CONSOLE_PROCESSES. Where the directory is a file and no registry is
    named, SLUICE_DIRECTORY_TOKEN is what one signs in with, and there are no networks, devices and keys to be seen.
    """
    settings = settings or Settings()
    return start(settings, run_console(settings), errors=(*START_ERRORS, NobodySignsInError))


async def run_console(settings: Settings) -> None:
    """Run the console until it is told to stop.

    Raises NobodySignsInError, PortUnavailableError, QueueUrlError and TlsError before anything starts.
    """
    async with open_settings_queue(settings, "console", existing_only=True) as queue:
        role = Console(settings, queue, create_neighbours(settings))
        await run_until_stopped(settings, None, [role])
