"""``sluice explain``: what would become of a request, and that nothing is sent."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from cli import explain as explain_module
from cli import resolving
from cli.deployment import Deployment
from cli.explain import RequestFlags, explain
from cli.explain_rules import Rules
from common.dead_letter import DeadLetter
from common.directory.model import Directory
from common.envelope import Envelope
from common.reason import Reason
from common.settings import Settings
from tests.support.directories import build_directory, build_key
from tests.support.directory_file import write_directory
from tests.support.queues import FakeQueue

DATA = Path(__file__).parents[2] / "data"

DIRECTORY = f"""
{write_directory(serial_format="FF-FF-FF-FF-FF", field_map="serial=devaddr;payload=payload_raw;port=fport")}
[authorizations.old]
token = "at-old"
network = "lorawan"
enabled = false
"""

UPLINK = {"devaddr": "12-ba-b3-4b-54", "payload_raw": "0011AA", "fport": "10", "lat": 35.77, "lng": -78.67}

pytestmark = pytest.mark.usefixtures("wide")


@pytest.fixture
def where(tmp_path: Path) -> Deployment:
    (tmp_path / "sluice.toml").write_text(DIRECTORY)
    return Deployment(directory=str(tmp_path / "sluice.toml"))


@pytest.fixture
def body(tmp_path: Path) -> Path:
    return write_body(tmp_path, UPLINK)


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --resolve no client is even made."""

    def refuse(*_: object) -> None:
        raise AssertionError("something was asked")

    monkeypatch.setattr(resolving, "create_client", refuse)


def write_body(folder: Path, document: Any) -> Path:
    path = folder / "body.json"
    path.write_bytes(document if isinstance(document, bytes) else orjson.dumps(document))
    return path


async def explain_json(capfdbinary: pytest.CaptureFixture[bytes], *args: Any, **flags: Any) -> tuple[int, Any]:
    code = await explain(*args, as_json=True, **flags)
    return code, orjson.loads(capfdbinary.readouterr().out)


async def test_each_step_is_shown_and_no_secret(
    where: Deployment, body: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await explain(body, rules=Rules(key="factory"), where=where) == 0
    shown = capsys.readouterr().out
    for part in (
        "factory, network lorawan, profile default",
        "serial=devaddr;payload=payload_raw;port=fport",
        "of the form FF-FF-FF-FF-FF, in upper case",
        "202: 1 uplink accepted",
        "'12-ba-b3-4b-54', from the body at 'devaddr'",
        "'0011AA', from the body at 'payload_raw'",
        "10, from the body at 'fport'",
        "the moment of arrival",
        "12BAB34B54",
        "GET https://api.example/integration/network/resolve/12BAB34B54/*** with Authorization: ***",
        "35.77, -78.67",
        "POST https://api.example/data",
    ):
        assert part in shown
    assert "SECRET" not in shown


async def test_as_json_every_step_is_there_for_a_script(
    where: Deployment, body: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, document = await explain_json(capfdbinary, body, rules=Rules(key="factory"), where=where)
    assert code == 0
    assert (document["fine"], document["refusal"], document["key"], document["network"]) == (
        True,
        None,
        "factory",
        "lorawan",
    )
    [uplink] = document["uplinks"]
    assert uplink["fields"]["serial"] == {"value": "12-ba-b3-4b-54", "in": "body", "path": "devaddr"}
    assert (uplink["outcome"], uplink["serial"]) == ("mapped", "12BAB34B54")
    assert uplink["resolve"]["url"].endswith("/12BAB34B54/***")
    assert [record["variable"] for record in uplink["records"]] == ["serial", "payload", "port", "location"]
    [post] = document["posts"]
    assert (post["uplinks"], post["bytes"]) == ([0], len(orjson.dumps(post["body"])))
    assert "SECRET" not in str(document)


async def test_a_map_is_tried_without_any_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = write_body(tmp_path, UPLINK)
    where = Deployment(directory=str(tmp_path / "none.toml"))
    rules = Rules(field_map="serial=devadr;payload=payload_raw")
    assert await explain(body, rules=rules, where=where) == 1
    shown = capsys.readouterr().out
    assert "400 serial_missing" in shown
    assert "did you mean 'devaddr'?" in shown
    assert "'0011AA', from the body at 'payload_raw'" in shown


async def test_without_rules_the_common_names_are_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain(write_body(tmp_path, {"deveui": "AA", "data": "CgsMDQ=="})) == 0
    shown = capsys.readouterr().out
    assert "none: common names are tried" in shown
    assert "'AA', from the body at 'deveui'" in shown
    assert "needs encoding=base64 in the map" in shown


async def test_a_map_and_a_serial_format_are_tried_on_a_key(
    where: Deployment, body: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    rules = Rules(key="factory", field_map="serial=payload_raw", serial_format="FF-FF-FF", force_case="lower")
    _, document = await explain_json(capfdbinary, body, rules=rules, where=where)
    assert document["uplinks"][0]["serial"] == "0011aa"
    rules = Rules(key="factory", serial_format="FF")
    code, document = await explain_json(capfdbinary, body, rules=rules, where=where)
    assert code == 1
    assert document["uplinks"][0]["reason"] == "serial_malformed"


async def test_the_posts_are_those_of_the_worker(
    where: Deployment, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    decoded = [{"devaddr": "12BAB34B54", "t": n} for n in range(2)]
    raw = [{"devaddr": "12BAB34B54", "payload_raw": "00"} for _ in range(2)]
    body = write_body(tmp_path, [*decoded, *raw, {"devaddr": "12BAB34B55"}, {"devaddr": "short"}])
    code, document = await explain_json(capfdbinary, body, rules=Rules(key="factory"), where=where)
    assert code == 1
    assert sorted(post["uplinks"] for post in document["posts"]) == [[0, 1], [2], [3], [4]]
    assert document["uplinks"][5]["outcome"] == "dead_letter"


async def test_an_item_that_is_no_uplink_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = write_body(tmp_path, {"cmd": "gw", "EUI": "70B3"})
    assert await explain(body, rules=Rules(field_map="preset=loriot")) == 0
    assert "not_an_uplink, by cmd!=rx" in capsys.readouterr().out


async def test_the_query_comes_with_the_body(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = write_body(tmp_path, b"")
    assert await explain(body, request=RequestFlags(query="device=1CB0B8&data=00")) == 0
    assert "'1CB0B8', from the query parameter 'device'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("request_flags", "answer"),
    [
        (RequestFlags(authorization="at-SECRET"), "202"),
        (RequestFlags(authorization="Bearer at-SECRET"), "202"),
        (RequestFlags(query="authorization=at-SECRET"), "202"),
        (RequestFlags(authorization=""), "401 authorization_missing"),
        (RequestFlags(authorization="at-SECRT"), "403 authorization_unknown"),
        (RequestFlags(authorization="at-old"), "403 authorization_disabled"),
        (RequestFlags(authorization="at-SECRET", content_type="text/plain"), "415 content_type_unsupported"),
    ],
)
async def test_the_sender_is_told_apart_as_at_the_ingest(
    where: Deployment, body: Path, capsys: pytest.CaptureFixture[str], request_flags: RequestFlags, answer: str
) -> None:
    code = await explain(body, request=request_flags, where=where)
    shown = capsys.readouterr().out
    assert answer in shown
    assert code == (0 if answer == "202" else 1)
    assert "SECRET" not in shown


async def test_a_key_is_called_by_its_name_too(
    monkeypatch: pytest.MonkeyPatch, body: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    key = build_key("k1", name="demo", field_map="serial=devaddr;payload=payload_raw;port=fport")

    async def read_directory(_: Settings) -> Directory:
        return build_directory(key)

    monkeypatch.setattr(explain_module, "read_directory", read_directory)
    code, document = await explain_json(capfdbinary, body, rules=Rules(key="demo", force_case="lower"))
    assert (code, document["key"], document["uplinks"][0]["serial"]) == (0, "k1", "12-ba-b3-4b-54")


async def test_a_disabled_key_is_refused_by_its_id_too(
    where: Deployment, body: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await explain(body, rules=Rules(key="old"), where=where) == 1
    assert "403 authorization_disabled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (Rules(key="factry"), "the directory has no key 'factry'; did you mean factory?"),
        (Rules(key="zzz"), "the directory has no key 'zzz'; it has factory, old"),
        (Rules(field_map="serail=x"), "--map: at character 1: there is no name 'serail'; did you mean 'serial'?"),
    ],
)
async def test_rules_that_are_not_there_are_told_with_the_closest(
    where: Deployment, body: Path, capsys: pytest.CaptureFixture[str], rules: Rules, problem: str
) -> None:
    assert await explain(body, rules=rules, where=where) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"sluice: {problem}")


async def test_what_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain(tmp_path / "none.json") == 1
    assert await explain() == 1
    assert await explain(write_body(tmp_path, b"{"), guess=True) == 1
    assert await explain(write_body(tmp_path, UPLINK), resolve=True) == 1
    where = Deployment(directory=str(tmp_path / "none.toml"))
    assert await explain(write_body(tmp_path, UPLINK), rules=Rules(key="factory"), where=where) == 1
    err = capsys.readouterr().err
    for part in ("none.json cannot be read", "give a file", "not valid JSON", "name one with --key", "none.toml"):
        assert part in err


async def test_a_body_may_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"serial": "AA"}')))
    assert await explain(Path("-")) == 0
    assert "'AA', from the body at 'serial'" in capsys.readouterr().out


async def test_what_a_device_sent_is_neither_markup_nor_a_terminal_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await explain(write_body(tmp_path, {"serial": "[red]\x1b[31m", "x[bold]y": "[/]"}))
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
    assert "[red]" in shown
    assert "x[bold]y" in shown


async def test_of_many_uplinks_the_first_are_shown_and_the_rest_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await explain(write_body(tmp_path, [{"serial": f"S{n}"} for n in range(30)]))
    assert "… and 10 more uplinks; --json has them all" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["chirpstack-v4", "kerlink-wanesy", "kpn-senml"])
async def test_a_guess_names_the_preset_that_fits(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain(DATA / "uplinks" / f"{name}.json", guess=True) == 0
    shown = capsys.readouterr().out
    assert f"additional parameters: preset={name}" in shown
    assert "100%" in shown


async def test_a_guess_is_json_as_well(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, [best] = await explain_json(capfdbinary, DATA / "uplinks" / "loriot.json", guess=True)
    assert (code, best["preset"], best["share"], best["missing"]) == (0, "loriot", 1.0, [])
    assert "EUI" in best["found"]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"serial": "AA", "payload": "00"}, "serial and payload are found without a map"),
        ([{"deveui": "AA", "temperature": 21.5}], "deveui is found without a map"),
    ],
)
async def test_where_common_names_fit_a_guess_says_that_no_map_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], document: Any, found: str
) -> None:
    assert await explain(write_body(tmp_path, document), guess=True) == 0
    assert f"No preset fits, and none is needed: {found}" in capsys.readouterr().out


async def test_where_no_preset_fits_it_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain(write_body(tmp_path, {"a": 1}), guess=True) == 1
    assert "--map 'serial=…;payload=…;port=…'" in capsys.readouterr().out


# Dead letters


@pytest.fixture
def serve_letters(serve_queue: Callable[[FakeQueue], None]) -> Callable[..., None]:
    """Have the command find these letters."""

    def serve_letters(*letters: DeadLetter) -> None:
        queue = FakeQueue()
        queue.letters = list(letters)
        serve_queue(queue)

    return serve_letters


def build_letter(*, key: str = "factory") -> DeadLetter:
    died_at = datetime(2026, 11, 21, 1, 23, 45, tzinfo=UTC)
    envelope = Envelope("6a1f0c52d3b19e4477aa01c9", key, died_at, {}, [(3, UPLINK)])
    return DeadLetter("6a1f0c52d3b19e4477aa01c9/3", Reason.SERIAL_UNKNOWN, "…", 1, died_at, died_at, envelope=envelope)


async def test_a_dead_letter_is_explained_by_todays_rules(
    where: Deployment, serve_letters: Callable[..., None], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    serve_letters(build_letter())
    code, document = await explain_json(capfdbinary, letter="6a1f0c52d3b19e4477aa01c9/3", where=where)
    assert code == 0
    [uplink] = document["uplinks"]
    assert (uplink["index"], uplink["serial"]) == (3, "12BAB34B54")
    assert {record["time"] for record in uplink["records"]} == {"2026-11-21T01:23:45.000000Z"}
    assert document["posts"][0]["headers"]["Sluice-Uplinks"] == "6a1f0c52d3b19e4477aa01c9/3"


@pytest.mark.parametrize(("key", "serial"), [("factory", "12BAB34B54"), ("gone", "12-ba-b3-4b-54")])
async def test_a_mended_map_is_tried_on_a_letter_with_the_serial_format_of_its_key_if_that_is_there(
    where: Deployment,
    serve_letters: Callable[..., None],
    capfdbinary: pytest.CaptureFixture[bytes],
    key: str,
    serial: str,
) -> None:
    serve_letters(build_letter(key=key))
    rules = Rules(field_map="serial=devaddr;payload=fport")
    _, document = await explain_json(capfdbinary, letter="6a1f0c52d3b19e4477aa01c9/3", rules=rules, where=where)
    [uplink] = document["uplinks"]
    assert uplink["serial"] == serial
    assert uplink["fields"]["payload"]["value"] == "10"


async def test_a_mended_map_is_tried_on_a_letter_without_a_directory(
    tmp_path: Path, serve_letters: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    serve_letters(build_letter(key="gone"))
    where = Deployment(directory=str(tmp_path / "none.toml"))
    letter = "6a1f0c52d3b19e4477aa01c9/3"
    assert await explain(letter=letter, rules=Rules(field_map="serial=devaddr"), where=where) == 0
    assert "'12-ba-b3-4b-54', from the body at 'devaddr'" in capsys.readouterr().out


async def test_a_letter_that_is_not_there_is_told(
    where: Deployment, serve_letters: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    serve_letters()
    assert await explain(letter="6a1f0c52d3b19e4477aa01c9/3", where=where) == 1
    assert "there is no dead letter '6a1f0c52d3b19e4477aa01c9/3'" in capsys.readouterr().err


# --resolve


async def test_a_device_is_asked_for_with_the_credentials_of_the_key(
    where: Deployment,
    body: Path,
    serve_downstream: Callable[..., list[httpx.Request]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = serve_downstream(lambda _: httpx.Response(200, json={"status": True, "result": "token-SECRET"}))
    assert await explain(body, rules=Rules(key="factory"), resolve=True, where=where) == 0
    [request] = asked
    assert str(request.url) == "https://api.example/integration/network/resolve/12BAB34B54/at-SECRET"
    assert request.headers["Authorization"] == "n-SECRET"
    shown = capsys.readouterr().out
    assert "POST https://api.example/data" in shown
    assert "SECRET" not in shown


@pytest.mark.parametrize(
    ("status", "document", "told"),
    [
        (404, {"status": False, "message": "Device Not Found"}, "would be a dead letter: serial_unknown"),
        (
            401,
            {"status": False, "message": "Authorization Denied"},
            "would be tried again later: authorization_refused",
        ),
    ],
)
async def test_a_device_that_is_not_given_is_told_with_the_reason(
    where: Deployment,
    body: Path,
    serve_downstream: Callable[..., list[httpx.Request]],
    capsys: pytest.CaptureFixture[str],
    *,
    status: int,
    document: Any,
    told: str,
) -> None:
    serve_downstream(lambda _: httpx.Response(status, json=document))
    assert await explain(body, rules=Rules(key="factory"), resolve=True, where=where) == 1
    shown = capsys.readouterr().out
    assert told in shown
    assert "POST" not in shown
