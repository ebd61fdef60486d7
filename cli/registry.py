"""``sluice registry``: the registry as a process of its own."""

from datetime import timedelta

from cli.process import run_until_stopped
from common.settings import Settings
from registry.parsers.model import ParserLimits
from registry.service import Registry


async def run_registry(settings: Settings) -> None:
    """Run the registry until it is told to stop.

    Raises DatabaseUnusableError, PortUnavailableError, SecretKeyError and TlsError before anything starts.
    """
    async with create_registry(settings) as registry:
        tell_profile_token(settings, registry)
        await run_until_stopped(settings, None, [registry])


def create_registry(settings: Settings) -> Registry:
    """Give the registry that the settings describe; to be opened with ``async with``."""
    return Registry(
        settings.data,
        port=settings.registry_port,
        database=settings.database,
        secret_key=settings.secret_key,
        directory_token=settings.directory_token,
        profile_token=settings.profile_token,
        retention=timedelta(days=settings.data_retention_days) or None,
        parsers=ParserLimits(settings.parser_processes, settings.parser_seconds, settings.parser_memory),
    )


def tell_profile_token(settings: Settings, registry: Registry) -> None:
    """Print the token of a profile that was just created, unless whoever started the process has chosen it."""
    if registry.first_start is not None and settings.profile_token is None:
        token = registry.first_start.profile_token.get_secret_value()
        print(f"The token of the first profile, shown this once: {token}", flush=True)  # noqa: T201 - for a person
