"""Which deployment is watched, and what it is asked for."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.deployment import Deployment
from cli.main import app
from cli.tail import UplinkFilter, _explain, tail
from cli.tail_source import TailError, list_urls, open_seen
from common.events.announcement import Announcement
from common.events.engine import Missed, Sampled
from common.reason import Reason
from common.settings import Settings
from tests.support.directories import build_directory, build_key, build_network
from tests.support.directory_file import write_directory
from tests.unit.common.events.test_event import EVENT

ANNOUNCEMENT = Announcement("viewer-anna")


def test_the_flags_are_what_is_announced() -> None:
    event_filter = UplinkFilter(serial=("AA", "12-BA-B3-4B-55"), reason=(Reason.SERIAL_UNKNOWN,)).build()
    assert event_filter.fits(EVENT)
    assert event_filter.reasons == frozenset({"serial_unknown"})
    assert UplinkFilter().build().fits(EVENT)


def test_keys_and_networks_are_announced_by_their_ids() -> None:
    directory = build_directory(
        build_key("k1", name="demo"), networks=(build_network("n1", name="Generic Endpoint"), build_network("plain"))
    )
    named = UplinkFilter(serial=("A",), key=("demo",), network=("Generic Endpoint", "plain"))
    assert named.identify(directory) == UplinkFilter(serial=("A",), key=("k1",), network=("n1", "plain"))


@pytest.mark.parametrize(
    ("which", "kind"), [(UplinkFilter(key=("nobody",)), "key"), (UplinkFilter(network=("nobody",)), "network")]
)
async def test_what_the_directory_does_not_have_is_said_instead_of_showing_nothing(
    which: UplinkFilter, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text(write_directory(serial_format="FF", field_map=""))
    assert await tail(which=which, where=Deployment(directory=str(file))) == 1
    assert f"the directory has no {kind} 'nobody'; it has" in capsys.readouterr().err


async def test_without_a_directory_keys_are_taken_for_ids_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = Deployment(queue=f"sqlite:{tmp_path / 'none.db'}", directory=str(tmp_path / "none.toml"))
    assert await tail(which=UplinkFilter(key=("k1",)), where=where) == 1
    said = capsys.readouterr().err
    assert "--key and --network are taken for ids" in said
    assert "there is no queue" in said


def test_no_registry_belongs_to_a_directory_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text("")
    own = ["http://127.0.0.1:8080", "http://127.0.0.1:8083"]
    assert list_urls(Settings(directory=str(file))) == own
    beside = Settings(directory=str(file), registry_url="http://127.0.0.1:8081")
    assert list_urls(beside) == [*own, "http://127.0.0.1:8081"]


@pytest.mark.parametrize(
    ("settings", "urls"),
    [
        (Settings(), ["http://127.0.0.1:8080", "http://127.0.0.1:8083", "http://127.0.0.1:8081"]),
        (Settings(host="::", ingest_port=0, registry_port=0, worker_port=1), ["http://127.0.0.1:1"]),
        (Settings(host="::1", ingest_port=1, registry_port=0, worker_port=0), ["http://[::1]:1"]),
        (
            Settings(tls_cert=Path("a.pem"), ingest_port=1, registry_port=0, worker_port=0, host="sluice.example"),
            ["https://sluice.example:1"],
        ),
    ],
)
def test_the_settings_say_where_the_processes_are(settings: Settings, urls: list[str]) -> None:
    assert list_urls(settings) == urls


@pytest.mark.parametrize(
    ("settings", "urls", "problem"),
    [
        (Settings(queue="amqp://broker/"), ["http://a"], "--url is for a queue in a file"),
        (Settings(queue="redis://broker/"), [], "must begin with"),
        (Settings(queue="sqlite:no/such/queue.db"), [], "there is no queue"),
        (Settings(directory_token=SecretStr("0123456789abcdef")), ["worker:8083"], "no URL of a process"),
        (
            Settings(directory_token=SecretStr("0123456789abcdef"), ingest_port=0, registry_port=0, worker_port=0),
            [],
            "name no port",
        ),
    ],
)
async def test_what_cannot_be_watched_is_said_at_once(settings: Settings, urls: list[str], problem: str) -> None:
    with pytest.raises(TailError, match=problem):
        open_seen(settings, ANNOUNCEMENT, urls)


def test_what_was_not_seen_is_said() -> None:
    assert _explain(Missed("they came too fast", 1)) == "1 event not shown: they came too fast"
    assert _explain(Missed("they came too fast", 1_200)) == "1,200 events not shown: they came too fast"
    assert "refused" in _explain(Missed("connection refused"))
    assert _explain(Sampled(4)) == "1 in 4 uplinks is shown from here on"
    assert _explain(Sampled(1)) == "every uplink is shown again"


def test_a_reason_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as ended:
        app(["tail", "--reason", "bad_luck"])
    assert ended.value.code != 0
