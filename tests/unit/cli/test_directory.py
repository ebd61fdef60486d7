"""The directory that the settings name."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from cli.directory import open_directory
from common.directory.file import DirectoryError, FileDirectory
from common.directory.remote import RemoteDirectory
from common.settings import Settings

TOKEN = SecretStr("directory-token-of-tests")


async def test_a_path_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text(
        '[downstream]\nurl = "https://downstream"\n[networks.plain]\ntoken = "n"\n'
        '[authorizations.first]\ntoken = "at"\nnetwork = "plain"\n'
    )
    async with open_directory(Settings(directory=str(file))) as directory:
        assert isinstance(directory, FileDirectory)
        assert [key.id for key in directory.current.keys] == ["first"]


async def test_a_url_is_a_registry_that_is_posted_to_as_well_and_is_not_asked_yet() -> None:
    async with open_directory(Settings(directory="http://registry:8081/", directory_token=TOKEN)) as directory:
        assert isinstance(directory, RemoteDirectory)
        assert (directory.is_read, directory.current.downstream.url) == (False, "http://registry:8081")


async def test_posts_may_go_elsewhere() -> None:
    settings = Settings(directory="http://registry:8081", directory_token=TOKEN, downstream="https://api.us-e1.tago.io")
    async with open_directory(settings) as directory:
        assert directory.current.downstream.url == "https://api.us-e1.tago.io"


async def test_a_registry_without_a_token_says_what_to_set() -> None:
    with pytest.raises(DirectoryError, match="set SLUICE_DIRECTORY_TOKEN here and at that registry"):
        async with open_directory(Settings(directory="http://registry:8081")):
            pass


@pytest.mark.parametrize("token", ["too-short", "with a space in the middle", "naïve-naïve-naïve-naïve"])
def test_a_token_that_is_guessed_or_no_header_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings(directory_token=SecretStr(token))
    assert token not in str(refusal.value.errors(include_input=False))
