"""``sluice registry renew-token``: a token in place of one that was lost."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.registry_renewal import renew_token
from common.settings import Settings
from registry.entries import ProfileEntry
from registry.refusal import RefusedError
from registry.service import Registry

LOST = "p-a-token-that-was-lost"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a registry that is yet to begin."""
    return Settings(data=tmp_path / "var", profile_token=SecretStr(LOST))


@pytest.fixture
async def customer(settings: Settings) -> ProfileEntry:
    """Give a profile beside the administrator's, in a registry that has ended."""
    async with Registry(settings) as registry:
        administrator = await registry.profiles.authenticate(LOST)
        profile, _ = await registry.profiles.create(administrator, "Customer")
    return profile


async def find_profile(settings: Settings, token: str) -> str:
    async with Registry(settings) as registry:
        return (await registry.profiles.authenticate(token)).name


def read_token(printed: str) -> str:
    return printed.rpartition(": ")[2].strip()


@pytest.mark.usefixtures("customer")
async def test_the_administrator_gets_another_token_and_the_lost_one_opens_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await renew_token(settings=settings) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("The new token of the profile Default, shown this once: p-")
    assert await find_profile(settings, read_token(printed)) == "Default"
    with pytest.raises(RefusedError):
        await find_profile(settings, LOST)


@pytest.mark.parametrize("by", ["id", "name"])
async def test_another_profile_is_named(
    settings: Settings, customer: ProfileEntry, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    assert await renew_token(getattr(customer, by), settings=settings) == 0
    assert await find_profile(settings, read_token(capsys.readouterr().out)) == "Customer"
    assert await find_profile(settings, LOST) == "Default"


async def test_beside_a_registry_that_runs_it_is_in_force_at_once(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Registry(settings) as registry:
        assert await renew_token(settings=settings) == 0
        token = read_token(capsys.readouterr().out)
        assert (await registry.profiles.authenticate(token)).administrator


async def test_a_profile_that_is_not_there_is_an_error_that_names_those_that_are(
    settings: Settings, customer: ProfileEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await renew_token("Custmer", settings=settings) == 1
    error = capsys.readouterr().err
    assert "there is no profile 'Custmer'; there are Default (" in error
    assert f"Customer ({customer.id})" in error


async def test_where_there_is_no_database_none_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await renew_token(settings=Settings(data=tmp_path / "elsewhere")) == 1
    assert "there is no registry's database in" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere").exists()


async def test_under_another_secret_key_nothing_is_renewed(
    settings: Settings, customer: ProfileEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    other = settings.model_copy(update={"secret_key": SecretStr("0123456789abcdef" * 2)})
    assert await renew_token(customer.id, settings=other) == 1
    assert "another secret key" in capsys.readouterr().err
    assert await find_profile(settings, LOST) == "Default"
