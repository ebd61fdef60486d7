"""``sluice parser``: parsers tried and checked on the command line."""

from pathlib import Path

import orjson
import pytest

from cli.parser import app, read_sample

DECODER = """
const raw = payload.find((x) => x.variable === 'payload');
const port = payload.find((x) => x.variable === 'port');
const offset = device.params.find((p) => p.key === 'offset');
console.log('port', port.value);
const value = parseInt(raw.value, 16) / 10 + Number(offset.value);
payload = [{ variable: 'temperature', value, unit: '°C', metadata: { a: 1 } }];
"""


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def parser(tmp_path: Path) -> Path:
    file = tmp_path / "decoder.js"
    file.write_text(DECODER)
    return file


def run(*arguments: object) -> int:
    """Run the command and give its exit code."""
    code: int = app([str(argument) for argument in arguments], result_action="return_int_as_exit_code_else_zero")
    return code


def test_the_records_of_a_sample_are_shown(parser: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("test", parser, "--payload", "00eb", "--port", 2, "--param", "offset=0.5") == 0
    shown = capfd.readouterr().out
    for expected in ("port 2", "records: 1", "temperature", "24", "°C", '{"metadata":{"a":1}}'):
        assert expected in shown


def test_the_records_can_be_had_as_json(parser: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("test", parser, "--payload", "00eb", "--port", 2, "--param", "offset=0.5", "--json") == 0
    (record,) = orjson.loads(capfd.readouterr().out)
    assert (record["variable"], record["value"]) == ("temperature", 24)


def test_a_failure_is_said_with_its_place(parser: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("test", parser, "--payload", "00eb") == 1
    error = (
        "sluice: device parser, line 5, column 26: TypeError: Cannot read properties of undefined (reading 'value')\n"
    )
    assert capfd.readouterr().err == error


def test_records_that_would_not_be_stored_are_shown_and_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.js").write_text("payload = [{ variable: 'a b', value: 1 }];")
    assert run("test", tmp_path / "p.js", "--payload", "00") == 1
    captured = capfd.readouterr()
    assert "a b" in captured.out
    assert captured.err.startswith("sluice: Record 0: variable must be")


def test_no_record_is_a_result_as_well(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.js").write_text("payload = [];")
    assert run("test", tmp_path / "p.js", "--payload", "00") == 0
    assert "records: 0" in capfd.readouterr().out


def test_a_networks_parser_takes_text_and_sets_the_serial(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.js").write_text("serial = payload.slice(0, 2); payload = [{ variable: 'v', value: +payload[3] }];")
    assert run("test", tmp_path / "p.js", "--text", "A1;7", "--kind", "network") == 0
    assert "serial: A1" in capfd.readouterr().out


def test_a_sample_may_be_a_file(parser: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sample.json").write_text('[{"variable": "payload", "value": "0a"}, {"variable": "port", "value": 1}]')
    assert run("test", parser, "--records", tmp_path / "sample.json", "--param", "offset=1") == 0
    assert "temperature" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("test", "missing.js", "--payload", "00"), "missing.js"),
        (("test", "DECODER", "--records", "missing.json"), "missing.json"),
        (("check", "missing.js"), "missing.js"),
    ],
)
def test_a_file_that_is_not_there_is_named(
    parser: Path, arguments: tuple[str, ...], error: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(*(parser if argument == "DECODER" else argument for argument in arguments)) == 1
    assert error in capfd.readouterr().err


def test_a_check_says_size_syntax_and_globals(parser: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("check", parser) == 0
    shown = capfd.readouterr().out
    for expected in (f"{len(DECODER.encode()):,} bytes of 65,536", "JavaScript", "console, device, payload", "none"):
        assert expected in shown


def test_a_check_refuses_what_is_no_javascript(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.ts").write_text("const fs = require('fs');\nconst t: number = 1;")
    assert run("check", tmp_path / "p.ts") == 1
    shown = capfd.readouterr().out
    assert "TypeScript" in shown
    assert "require" in shown


def test_a_check_refuses_what_is_too_large(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.js").write_text(" " * 65_537)
    assert run("check", tmp_path / "p.js") == 1
    assert "at most 65,536 are run" in capfd.readouterr().out


def test_the_records_of_a_sample_are_as_a_worker_makes_them() -> None:
    payload, port = read_sample("00AA", 7)
    assert (payload["variable"], payload["value"]) == ("payload", "00AA")
    assert (port["variable"], port["value"]) == ("port", 7)
    assert payload["group"] == port["group"]
    assert payload["time"] == port["time"]
