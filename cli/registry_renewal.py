"""``sluice registry renew-token``: a profile's token in place of one that was lost."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from pydantic import SecretStr

from cli.deployment import SettingsFlags
from cli.terminal import CommandError, fail
from common.logs import configure_logs
from common.settings import Settings
from registry.database import DatabaseUnusableError
from registry.database_url import create_database
from registry.entries import ProfileEntry
from registry.secret_key import SecretKeyError
from registry.service import Registry


async def renew_token(
    profile: Annotated[str | None, Parameter(show_default=False)] = None, *, settings: SettingsFlags = None
) -> int:
    """Give a profile another token in place of one that was lost, and print it this once.

    It is written into the registry's own database, whether a registry runs on that or not: run this where the registry
    runs, with its settings. The token that the profile had is refused from now on.

    Parameters
    ----------
    profile
        Name or id of the profile. Without it the administrator's.
    settings
        Every setting as a flag; what no flag gives comes from the environment.

    """
    configure_logs(level="ERROR", json=False)
    try:
        renewed, token = await _renew(settings or Settings(), profile)
    except (CommandError, DatabaseUnusableError, SecretKeyError) as error:
        return fail(error)
    print(f"The new token of the profile {renewed.name}, shown this once: {token.get_secret_value()}")  # noqa: T201
    return 0


async def _renew(settings: Settings, called: str | None) -> tuple[ProfileEntry, SecretStr]:
    if not create_database(settings.database, settings.data).exists:  # which opening it would make
        raise CommandError(
            f"there is no registry's database in {settings.data}: run this where the registry runs, with the same "
            "SLUICE_DATA or SLUICE_DATABASE"
        )
    async with Registry(settings) as registry:
        profile = _choose(await registry.profiles.list_all(), called)
        return profile, await registry.profiles.renew_token(profile, profile.id)


def _choose(profiles: Sequence[ProfileEntry], called: str | None) -> ProfileEntry:
    """Give the profile of this id or name, else the administrator's. Raises CommandError where it is not one."""
    found = [each for each in profiles if (each.administrator if called is None else called in (each.id, each.name))]
    if len(found) == 1:
        return found[0]
    there_are = ", ".join(f"{each.name} ({each.id})" for each in found or profiles)
    if found:
        raise CommandError(f"name one profile by its id: {there_are}")
    raise CommandError(f"there is no profile {called!r}; there are {there_are}")
