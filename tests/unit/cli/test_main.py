"""The ``sluice`` command as a whole: its list of commands, what it imports, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS, app, main
from cli.registry import COMMANDS as REGISTRY_COMMANDS
from tests.support.directory_file import write_directory
from tests.support.processes import SLUICE

SHOW_MODULES = """
import sys
from cli.main import app
app(sys.argv[1:], result_action="return_value")
print("imported", *sys.modules)
"""


@pytest.fixture(autouse=True)
def _environment(no_settings: None) -> None:
    """Nobody's settings."""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_how_its_own_page_begins(name: str) -> None:
    assert app[name].help.splitlines()[0] == COMMANDS[name].summary


@pytest.mark.parametrize("name", REGISTRY_COMMANDS)
def test_so_does_the_list_of_the_registry(name: str) -> None:
    assert app["registry"][name].help.splitlines()[0] == REGISTRY_COMMANDS[name].summary


def run_and_list_modules(*arguments: str) -> tuple[str, set[str]]:
    """Give what is printed by a process of its own, and the packages that it has imported."""
    command = [sys.executable, "-c", SHOW_MODULES, *arguments]
    environment = {**os.environ, "COLUMNS": "200"}
    printed, _, modules = subprocess.check_output(command, text=True, env=environment).rpartition("imported")
    return printed, set(modules.split())


def test_the_list_of_commands_imports_none_of_them() -> None:
    printed, modules = run_and_list_modules("--help")
    for command in COMMANDS.values():
        assert f" {command.summary} " in printed
        assert command.path.partition(":")[0] not in modules


@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        (["presets"], {"ingest", "workers", "registry", "common.queue", "common.settings"}),
        (["dead", "list", "--help"], {"ingest", "workers", "registry"}),
        (["ingest", "--help"], {"workers", "registry"}),
        (["worker", "--help"], {"ingest", "registry"}),
        (["registry", "--help"], {"ingest", "workers", "cli.registry_import"}),
    ],
)
def test_a_command_imports_no_role_that_it_does_not_need(arguments: list[str], others: set[str]) -> None:
    _, modules = run_and_list_modules(*arguments)
    assert not others & modules


def end(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Give the exit code of a command line."""
    monkeypatch.setattr(sys, "argv", ["sluice", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["audit", "--nonsense"],
        ["check", "nonsense"],
        ["device", "create"],
        ["send", "--generate", "1"],
        ["dead", "list", "--reason", "nonsense"],
        ["ingest", "--ingest-port", "nonsense"],
    ],
)
def test_a_command_line_that_cannot_be_is_told_from_what_a_command_finds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert end(monkeypatch, *arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, "Error" in shown.err) == ("", True)


@pytest.mark.parametrize("command", ["ingest", "audit", "dead list"])
def test_so_is_a_setting_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("SLUICE_INGEST_PORT", "nonsense")
    assert end(monkeypatch, *command.split()) == 2
    assert capsys.readouterr().err.startswith("sluice: SLUICE_INGEST_PORT: ")


def test_what_a_setting_of_ours_needs_is_said_in_our_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_DIRECTORY_TOKEN", "short")
    assert end(monkeypatch, "audit") == 2
    assert capsys.readouterr().err.startswith("sluice: SLUICE_DIRECTORY_TOKEN: needs at least 16 characters")


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("SLUICE_REGISTRY_URL", "http://127.0.0.1:9", "sluice: the registry asks who you are"),
        ("SLUICE_TLS_CA", "/nowhere/ca.pem", "sluice: "),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], setting: str, value: str, told: str
) -> None:
    if setting == "SLUICE_TLS_CA":
        monkeypatch.setenv("SLUICE_PROFILE_TOKEN", "p-token-of-tests")
    monkeypatch.setenv(setting, value)
    assert end(monkeypatch, "device", "list") == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(told)


@pytest.fixture
def _buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output as a process has it unless told otherwise; without a buffer, a part that was written counts as all."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.mark.usefixtures("_buffered")
def test_whoever_reads_may_stop_in_the_middle(tmp_path: Path) -> None:
    """Given more than a pipe holds, when its reader goes after a line, then the command ends without a word."""
    (tmp_path / "sluice.toml").write_text(write_directory(serial_format="", field_map=""))
    (tmp_path / "body.json").write_text(json.dumps([{"serial": f"{n}", "payload": "0A"} for n in range(400)]))
    command = f"{SLUICE} explain body.json --key factory --json; echo $? >&2"
    piped = ["sh", "-c", f"{{ {command}; }} | head -1"]
    shown = subprocess.run(piped, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert (shown.stdout, shown.stderr) == ("{\n", "1\n")


@pytest.mark.usefixtures("_buffered")
@pytest.mark.parametrize(
    "arguments",
    [
        ["presets", "--json"],
        ["send", "--generate", "1", "--patience", "0", "--url", "http://127.0.0.1:9", "--authorization", "a", "--json"],
    ],
)
def test_whoever_reads_may_be_gone_before_anything_is_written(arguments: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = subprocess.run([SLUICE, *arguments], stdout=write_end, stderr=subprocess.PIPE, check=False, text=True)
    os.close(write_end)
    assert (command.stderr, command.returncode) == ("", 1)


def test_a_page_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert end(monkeypatch, "presets", "--help") in {0, None}
    assert capsys.readouterr().out.startswith("Usage: sluice presets")
