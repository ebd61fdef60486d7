"""docs/field-maps.md cannot go stale: each command on the page is run, and has to give what the page shows."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cli.main import app
from common.fields.field_map import parse_field_map
from common.fields.presets import PRESETS

PAGE = (Path(__file__).parents[3] / "docs" / "field-maps.md").read_text()

FILES = dict(re.findall(r"^```(?:json|toml) (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def list_commands() -> list[tuple[str, str]]:
    """Give each command with what the page shows of its outcome."""
    parts = [part for block in BLOCKS for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    return folder


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("command", "shown"), list_commands(), ids=lambda part: part[:40])
def test_a_command_gives_what_the_page_shows(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str, shown: str
) -> None:
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("SLUICE_")]:
        monkeypatch.delenv(name)
    for name, value in {"COLUMNS": "110", "NETWORK_TOKEN": "n", "FACTORY_AUTHORIZATION": "a"}.items():
        monkeypatch.setenv(name, value)
    if command.startswith("sluice "):
        with pytest.raises(SystemExit):
            app(shlex.split(command)[1:])
    else:
        subprocess.run(["sh", "-c", command], check=True)  # noqa: S607 - as a person types it
    assert clean(capfd.readouterr().out) == clean(shown)


def clean(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def test_the_page_has_files_and_commands() -> None:
    assert FILES.keys() == {"uplink.json", "sluice.toml"}
    assert len(list_commands()) >= 6


@pytest.mark.parametrize("name", PRESETS)
def test_the_table_of_presets_is_that_of_the_code(name: str) -> None:
    preset = PRESETS[name]
    field_map = parse_field_map(preset.text)
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    paths = [f"`{'.'.join(path)}`" if path else "" for path in (field_map.serial, field_map.payload, field_map.port)]
    aside = ", ".join(f"`{condition}`" for condition in field_map.set_aside.conditions) if field_map.set_aside else ""
    assert cells == [f"`{name}`", preset.server, *paths, aside]
