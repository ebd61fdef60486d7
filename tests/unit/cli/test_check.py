"""``sluice check``: what is wrong with a configuration, where, and what to do about it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from cli.check import check
from cli.check_directory import find_line
from cli.deployment import Deployment
from common.queue.protocol import Depths, QueueMissingError, QueueUnavailableError
from tests.support.directory_file import write_directory
from tests.support.queues import FakeQueue

GOOD = write_directory(serial_format="FF-FF", field_map="serial=devaddr", network_token="${NETWORK_TOKEN}")

Check = Callable[..., Any]
Serve = Callable[[Callable[[httpx.Request], httpx.Response]], list[httpx.Request]]

pytestmark = pytest.mark.usefixtures("wide")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, no_settings: None) -> None:  # noqa: ARG001 - it empties it first
    monkeypatch.setenv("NETWORK_TOKEN", "n-SECRET")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Check this directory; gives the exit code and what was shown, in which there is no secret."""

    async def run(directory: str | None, *, live: bool = False) -> tuple[int, str]:
        file = tmp_path / "sluice.toml"
        if directory is not None:
            file.write_text(directory)
        code = await check(live=live, where=Deployment(directory=str(file)))
        shown = capsys.readouterr().out
        assert "SECRET" not in shown
        return code, shown

    return run


async def test_a_good_configuration_has_nothing_to_mend(run: Check) -> None:
    code, shown = await run(GOOD)
    assert code == 0
    assert "1 network, 1 key" in shown
    assert "0 mistakes, 0 warnings" in shown


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("[downstream]", "[downstream", ["at line 2, column 12"]),
        ("network =", "netwrk =", [":11", "[authorizations.factory] netwrk: no such field; did you mean network?"]),
        ('"lorawan"', '"lorawn"', [":11", "[authorizations.factory] network: no such network; did you mean lorawan?"]),
        ("serial=", "serail=", [":12", "at character 1: there is no name 'serail'; did you mean 'serial'?"]),
        ("${NETWORK_TOKEN}", "${NETWRK}", [":6", "refers to NETWRK, which the environment does not have"]),
        ('"FF-FF"', '"XX-XX"', [":7", "only the serial 'XXXX' fits; F is a hexadecimal digit"]),
        ('"FF-FF"', '"--"', ["no serial fits"]),
        ("serial=devaddr", "array=one", [":12", "name the serial's path"]),
        ("serial=devaddr", "serial=0.devaddr", [":12", "or say array=one"]),
        ("serial=devaddr", "serial=a;payload=a", [":12", "serial and payload are both at a"]),
        ("https://api.example", "https://generic.middleware.us-e1.tago.io", [":3", "is where gateways send to"]),
        ("https://api.example", "api.example", [":3", "must begin with http:// or https://"]),
        ("[networks.lorawan]", "[network.lorawan]", ["no such table; did you mean networks?"]),
    ],
)
async def test_a_mistake_is_told_with_its_place_and_the_remedy(
    run: Check, good: str, bad: str, told: list[str]
) -> None:
    code, shown = await run(GOOD.replace(good, bad))
    assert code == 1
    for part in told:
        assert part in shown


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("network =", "enabled = false\nnetwork =", ":11  [authorizations.factory] enabled: is false"),
        (
            "network =",
            "expires_at = 2020-01-01T00:00:00Z\nnetwork =",
            ":11  [authorizations.factory] expires_at: is past",
        ),
        ("[authorizations", '[networks.b]\ntoken = "b"\n[authorizations', ":9  [networks.b]: no key belongs to it"),
        ("https://api.example", "https://api.us-e1.tago.io", ":2  [downstream] posts_per_minute: is not set"),
        ('"FF-FF"', '"FF-XX"', ":7  [networks.lorawan] serial.format: X stands for itself"),
    ],
)
async def test_what_is_probably_not_meant_is_a_warning(run: Check, good: str, bad: str, told: str) -> None:
    code, shown = await run(GOOD.replace(good, bad))
    assert code == 0
    assert told in shown
    assert "1 warning" in shown


async def test_a_file_that_is_not_there_is_a_mistake(run: Check) -> None:
    code, shown = await run(None)
    assert code == 1
    assert "put the file there, or name another in SLUICE_DIRECTORY" in shown
    assert "set SLUICE_DIRECTORY to its URL" in shown


@pytest.mark.parametrize(
    ("name", "value", "code", "told"),
    [
        ("SLUICE_QUEU", "x", 1, "SLUICE_QUEU: there is no such setting; did you mean SLUICE_QUEUE?"),
        ("SLUICE_INGEST_PROT", "1", 1, "did you mean SLUICE_INGEST_PORT?"),
        ("SLUICE_INGEST_PORT", "tcp://10.0.0.1", 1, "SLUICE_INGEST_PORT: Input should be a valid integer"),
        ("SLUICE_DIRECTORY_TOKEN", "short", 1, "SLUICE_DIRECTORY_TOKEN: needs at least 16 characters"),
        ("SLUICE_QUEUE", "redis://queue", 1, "SLUICE_QUEUE: must be amqp://… or amqps://…"),
        ("SLUICE_TLS_KEY", "key.pem", 1, "SLUICE_TLS_CERT"),
        ("SLUICE_SOMETHING_ELSE", "x", 0, "there is no such setting, and nothing is like it"),
        ("SLUICE_AUTHORIZATION", "x", 0, "0 mistakes, 0 warnings"),
        ("SLUICE_PROFILE_TOKEN", "p-0123456789abcdef", 0, "0 mistakes, 0 warnings"),
        ("OTHER_QUEU", "x", 0, "0 mistakes, 0 warnings"),
    ],
)
async def test_a_setting_that_cannot_be_or_that_nobody_reads_is_told(
    run: Check, monkeypatch: pytest.MonkeyPatch, name: str, value: str, *, code: int, told: str
) -> None:
    monkeypatch.setenv(name, value)
    got, shown = await run(GOOD)
    assert told in shown
    assert got == code


async def test_a_name_that_the_directory_refers_to_is_no_unknown_setting(
    run: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_NETWORK_TOKEN", "n")
    _, shown = await run(GOOD.replace("${NETWORK_TOKEN}", "${SLUICE_NETWORK_TOKEN}"))
    assert "0 mistakes, 0 warnings" in shown


async def test_mistakes_of_settings_and_directory_are_told_at_once_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("SLUICE_BODY_LIMIT", "0")
    file = tmp_path / "sluice.toml"
    file.write_text(GOOD.replace("serial=", "serail=").replace("network =", "netwrk ="))
    assert await check(as_json=True, where=Deployment(directory=str(file))) == 1
    document = orjson.loads(capfdbinary.readouterr().out)
    assert document["fine"] is False
    places = [each["place"] for each in document["diagnostics"] if each["severity"] == "mistake"]
    assert places[0] == "SLUICE_BODY_LIMIT"
    assert "[authorizations.factory] netwrk" in places
    assert "[authorizations.factory] additional_parameters" in places


def test_lines_are_found_by_header_and_key() -> None:
    lines = [
        "[downstream]",
        'url = "x"',
        "",
        '[networks."a.b"] # c',
        "token = 1",
        "serial.format = 2",
        "[other]",
        "token = 3",
    ]
    assert find_line(lines, ("downstream", "url")) == 2
    assert find_line(lines, ("downstream", "gone")) == 1
    assert find_line(lines, ("networks", "a.b", "token")) == 5
    assert find_line(lines, ("networks", "a.b", "serial", "format")) == 6
    assert find_line(lines, ("networks", "c")) is None


# --live


class AwayQueue(FakeQueue):
    """A queue that cannot be asked."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def depths(self) -> Depths:
        raise self._error


@pytest.fixture
def queue(serve_queue: Callable[[FakeQueue], None]) -> None:
    """A queue that is there."""
    serve_queue(FakeQueue())


def respond_unknown(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/info":
        return httpx.Response(200, json={"status": True, "result": {}})
    return httpx.Response(404, json={"status": False, "message": "Device Not Found"})


@pytest.mark.usefixtures("queue")
async def test_everything_that_is_there_and_takes_the_credentials_is_fine(run: Check, serve_downstream: Serve) -> None:
    asked = serve_downstream(respond_unknown)
    code, shown = await run(GOOD, live=True)
    assert code == 0
    assert "https://api.example answers" in shown
    assert "[authorizations.factory]: its credentials are taken" in shown
    assert [request.url.path for request in asked] == ["/info", "/integration/network/resolve/0000/at-SECRET"]
    assert asked[1].headers["Authorization"] == "n-SECRET"


@pytest.mark.usefixtures("queue")
async def test_credentials_that_are_refused_are_a_mistake(run: Check, serve_downstream: Serve) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/info":
            return respond_unknown(request)
        return httpx.Response(401, json={"status": False, "message": "Authorization Denied"})

    serve_downstream(respond)
    code, shown = await run(GOOD, live=True)
    assert code == 1
    assert "Authorization Denied; check its token, and the token of [networks.lorawan]" in shown


@pytest.mark.usefixtures("queue")
async def test_a_downstream_that_is_away_is_told_once(run: Check, serve_downstream: Serve) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    serve_downstream(respond)
    code, shown = await run(GOOD, live=True)
    assert code == 1
    assert "https://api.example does not answer: ConnectError" in shown
    assert "1 mistake," in shown


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (QueueUnavailableError("RabbitMQ refuses the login"), 1, "RabbitMQ refuses the login"),
        (QueueMissingError("there is no queue"), 0, "there is no queue; the first role that starts makes it"),
    ],
)
async def test_a_queue_that_is_away_or_not_yet_made_is_told(
    run: Check,
    serve_downstream: Serve,
    serve_queue: Callable[[FakeQueue], None],
    *,
    error: Exception,
    code: int,
    told: str,
) -> None:
    serve_downstream(respond_unknown)
    serve_queue(AwayQueue(error))
    got, shown = await run(GOOD, live=True)
    assert (got, told in shown) == (code, True)


@pytest.mark.usefixtures("queue")
async def test_nothing_is_asked_on_behalf_of_a_directory_that_cannot_be_read(
    run: Check, serve_downstream: Serve
) -> None:
    asked = serve_downstream(respond_unknown)
    code, shown = await run(GOOD.replace("network =", "netwrk ="), live=True)
    assert code == 1
    assert shown.count("did you mean network?") == 1
    assert asked == []
