"""What the console is given to look at."""

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cli.console_explaining import explain_sample
from cli.console_neighbours import (
    NobodySignsInError,
    create_neighbours,
    find_addresses,
    find_registry_url,
    list_processes,
    watch_hub,
)
from cli.directory import find_directory_file
from common.events.announcement import Announcement
from common.events.engine import EventTiming
from common.events.event import Event, Stage
from common.events.hub import EventHub
from common.events.viewers import MOST_VIEWERS
from common.settings import Settings
from console.live import WatchError
from console.testing_keys import Sample


@pytest.mark.parametrize(
    ("settings", "urls"),
    [
        (Settings(), ["http://127.0.0.1:8080", "http://127.0.0.1:8083", "http://127.0.0.1:8081"]),
        (Settings(host="::1", ingest_port=1, registry_port=0, worker_port=0), ["http://[::1]:1"]),
        (Settings(host="0.0.0.0", ingest_port=1, registry_port=0, worker_port=0), ["http://127.0.0.1:1"]),  # noqa: S104
        (Settings(tls_cert=Path("a"), ingest_port=1, registry_port=0, worker_port=0), ["https://127.0.0.1:1"]),
        (Settings(console_processes="http://a:1/, https://b:2"), ["http://a:1", "https://b:2"]),
    ],
)
def test_processes_are_those_that_are_named_else_the_ports_of_the_settings(settings: Settings, urls: list[str]) -> None:
    assert list_processes(settings) == urls


REGISTRY = "http://registry:8081"
ELSEWHERE = "http://elsewhere:8081"


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8081"),
        ({"directory": REGISTRY}, REGISTRY),
        ({"registry_url": ELSEWHERE}, ELSEWHERE),
        ({"registry_url": ELSEWHERE, "directory": REGISTRY}, ELSEWHERE),
    ],
)
def test_the_registry_is_the_one_that_is_named_else_the_one_that_is_the_directory(
    settings: dict[str, Any], url: str
) -> None:
    assert find_registry_url(Settings(**settings)) == url


@pytest.mark.usefixtures("no_settings")
def test_there_is_no_registry_where_the_directory_is_a_file_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    settings = Settings(directory=str(file))
    assert find_directory_file(settings) is None
    file.write_text("")
    assert find_directory_file(settings) == str(file)
    assert find_directory_file(Settings(directory=str(file), registry_url=REGISTRY)) is None
    assert find_directory_file(Settings(directory=REGISTRY)) is None


@pytest.mark.usefixtures("no_settings")
async def test_without_a_registry_somebody_has_to_have_a_token_to_sign_in_with(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text("")
    with pytest.raises(NobodySignsInError, match="Set SLUICE_DIRECTORY_TOKEN"):
        create_neighbours(Settings(directory=str(file)))
    neighbours = create_neighbours(Settings(directory=str(file), directory_token=SecretStr("x" * 16)))
    answer = await neighbours.registry.get("/profile/current", headers={"Token": "x" * 16})
    assert (neighbours.directory_file, answer.json()["result"]["administrator"]) == (str(file), True)


V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(
    ("found", "addresses"),
    [
        ([(V4, "10.0.0.1"), (V4, "10.0.0.2")], ["10.0.0.1", "10.0.0.2"]),
        ([(V4, "10.0.0.1"), (V4, "10.0.0.2"), (V6, "fd00::1"), (V6, "fd00::2")], ["10.0.0.1", "10.0.0.2"]),
        ([(V6, "::1"), (V4, "127.0.0.1")], []),  # one machine
        ([(V4, "127.0.0.1"), (V4, "127.0.0.1")], []),
    ],
)
async def test_a_name_with_several_addresses_of_a_family_stands_for_several_processes(
    monkeypatch: pytest.MonkeyPatch, found: list[tuple[int, str]], addresses: list[str]
) -> None:
    async def look_up(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(family, socket.SOCK_STREAM, 6, "", (address, 0)) for family, address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    assert await find_addresses("worker") == addresses


async def test_a_viewer_in_the_same_process_sees_what_it_tells_and_is_forgotten_when_it_leaves() -> None:
    hub, event = EventHub(EventTiming()), Event(datetime.now(UTC), Stage.ACCEPTED, "a/0", details={"item": {}})
    async with watch_hub(hub, Announcement("console-00000001", details=True)) as seen:
        assert hub.watched
        hub.publish(event)
        assert await anext(seen) == event
    assert not hub.watched


async def test_one_viewer_too_many_is_told_so() -> None:
    hub = EventHub(EventTiming())
    for index in range(MOST_VIEWERS):
        hub.view(Announcement(f"console-{index:08}"))
    with pytest.raises(WatchError, match="too many"):
        async with watch_hub(hub, Announcement("console-late-one")):
            pass
    hub.close()


async def test_a_body_is_explained_as_sluice_explain_does() -> None:
    sample = Sample('{"devaddr": "0a-1b"}', "fport=7", "serial=devaddr;port=fport", "FF-FF", "upper")
    document = await explain_sample(Settings(), sample)
    (uplink,) = document["uplinks"]
    assert (document["refusal"], uplink["serial"], uplink["fields"]["port"]["value"]) == (None, "0A1B", 7)


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (Sample("{", "", "", None, None), "body_malformed"),
        (Sample("", "", "", None, None), "body_missing"),
        (Sample('{"serial": 5}', "%zz", "", "FF", None), "serial_malformed"),
    ],
)
async def test_what_would_be_refused_is_explained_and_no_error(sample: Sample, said: str) -> None:
    assert said in str(await explain_sample(Settings(), sample))


async def test_a_map_that_is_none_says_what_is_wrong() -> None:
    document = await explain_sample(Settings(), Sample("{}", "", "serial", None, None))
    assert document.keys() == {"not_explained"}
    assert "--map" not in document["not_explained"]
