"""The documents cannot go stale: what a page shows is run and compared, and what it mentions has to exist."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cli.main import app
from tests.support.pages import PAGES, REPOSITORY, Shown, list_files, list_links, list_mentions, list_shown

RUN = ("docs/field-maps.md", "docs/from-tagoio.md")
"""Pages whose every command needs nothing that runs; tests/system/test_readme.py has those of the others."""

ENVIRONMENT = {"COLUMNS": "110", "NETWORK_TOKEN": "n", "FACTORY_AUTHORIZATION": "a"}

SHOWN = [pytest.param(page, shown, id=f"{page}: {shown.command[:40]}") for page in RUN for shown in list_shown(page)]
LINKED = sorted({(page, link) for page in PAGES for link in list_links(page)})
MENTIONED = sorted({(page, mention) for page in PAGES for mention in list_mentions(page)})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each page, with the files that it has one save."""
    folders = {page: tmp_path_factory.mktemp("page") for page in RUN}
    for page, folder in folders.items():
        for name, content in list_files(page).items():
            (folder / name).write_text(content)
    return folders


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("page", "shown"), SHOWN)
def test_a_command_gives_what_the_page_shows(
    folders: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    page: str,
    shown: Shown,
) -> None:
    monkeypatch.chdir(folders[page])
    for name in [name for name in os.environ if name.startswith("SLUICE_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    if shown.command.startswith("sluice "):
        with pytest.raises(SystemExit):
            app(shlex.split(shown.command)[1:])
    else:
        subprocess.run(["sh", "-c", shown.command], check=True)  # noqa: S607 - as a person types it
    assert clean(capfd.readouterr().out) == clean(shown.outcome)


def clean(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("page", RUN)
def test_a_page_that_is_run_has_files_and_commands(page: str) -> None:
    assert {"uplink.json", "sluice.toml"} <= list_files(page).keys()
    assert list_shown(page)


@pytest.mark.parametrize(("page", "mention"), MENTIONED)
def test_a_command_that_a_page_mentions_exists_with_its_flags(page: str, mention: str) -> None:
    words = [word for word in mention.replace("…", "").split()[1:] if word != "--help"]
    _, apps, rest = app.parse_commands(words)
    flags = {word.partition("=")[0] for word in rest if re.match(r"--\w", word)}
    if apps[-1].default_command is None:
        assert not rest, f"{page}: {mention}: {rest[0]} is no command of {apps[-1].name}"
        return
    known = {name for argument in apps[-1].assemble_argument_collection() for name in argument.names}
    assert flags <= known, f"{page}: {mention}"


@pytest.mark.parametrize(("page", "link"), LINKED)
def test_what_a_page_links_to_is_there(page: str, link: str) -> None:
    assert (REPOSITORY / page).parent.joinpath(link).exists()


def test_the_pages_mention_commands() -> None:
    assert len(MENTIONED) > 50
