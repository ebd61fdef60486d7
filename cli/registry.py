"""``sluice registry``: the registry as a process of its own."""

from cyclopts import App

from cli.deployment import SettingsFlags
from cli.events import open_settings_events
from cli.lazy import LazyCommand, add_lazily
from cli.process import run_until_stopped
from cli.starting import START_ERRORS, start
from common.settings import Settings
from registry.database import DatabaseUnusableError
from registry.secret_key import SecretKeyError
from registry.service import Registry

REGISTRY_ERRORS = (*START_ERRORS, DatabaseUnusableError, SecretKeyError)
"""What keeps a registry from starting and an operator can mend."""

COMMANDS = {
    "import": LazyCommand(
        "cli.registry_import:import_definitions",
        "Take networks and connectors from definitions in the form in which decoders for TagoIO are published.",
    ),
    "renew-token": LazyCommand(
        "cli.registry_renewal:renew_token",
        "Give a profile another token in place of one that was lost, and print it this once.",
    ),
}

app = App(name="registry")
add_lazily(app, COMMANDS)


@app.default
def registry(*, settings: SettingsFlags = None) -> int:
    """Serve networks, connectors, devices, keys and data, and the directory of the other roles."""
    settings = settings or Settings()
    return start(settings, run_registry(settings), errors=REGISTRY_ERRORS)


async def run_registry(settings: Settings) -> None:
    """Run the registry until it is told to stop.

    Raises DatabaseUnusableError, PortUnavailableError, SecretKeyError and TlsError before anything starts.
    """
    async with (
        open_settings_events(settings, "registry") as events,
        Registry(settings, events) as registry,
    ):
        tell_profile_token(settings, registry)
        await run_until_stopped(settings, None, [registry], events)


def tell_profile_token(settings: Settings, registry: Registry) -> None:
    """Print the token of a profile that was just created, unless whoever started the process has chosen it."""
    if registry.first_start is not None and settings.profile_token is None:
        token = registry.first_start.profile_token.get_secret_value()
        print(f"The token of the first profile, shown this once: {token}", flush=True)  # noqa: T201 - for a person
