"""Every example in docs/wire-format.md is what the code reads and writes."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.dead_story import letter_to_document
from common.dead_letter import DeadLetter, DeadLetterList, Disposition, Mark, decode_entry, encode_entry
from common.directory.file import FileDirectory
from common.directory.model import Directory
from common.directory.served import parse_served_directory
from common.envelope import FrameUnsupportedError, decode_frame, encode_frame, parse_time
from common.events.announcement import decode_announcement, encode_announcement
from common.events.event import decode_event, encode_event
from common.fields.field_map import parse_field_map
from common.fields.records import MappedFields, map_fields
from common.reason import Reason
from registry.directory import write_directory
from registry.entries import KeyEntry, NetworkEntry, SerialNumber
from tests.support.directories import build_key
from workers.answers import Statement, read_statement
from workers.mapping import MappedUplink, map_uplink
from workers.outcome import DeadLettered
from workers.resolver import DeviceToken, Resolver

PAGE = Path(__file__).parents[2] / "docs" / "wire-format.md"


def examples(kind: str) -> list[str]:
    found = re.findall(rf"```\w+ {kind}\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert found, f"the page has no example of a {kind}"
    return found


def same_json(written: bytes, example: str) -> bool:
    document: Any = orjson.loads(written)
    return bool(document == orjson.loads(example))


@pytest.mark.parametrize("example", examples("frame"))
def test_a_frame_is_read_and_written_as_documented(example: str) -> None:
    envelopes = decode_frame(example.encode())
    assert sum(len(envelope.uplinks()) for envelope in envelopes) == 3
    assert same_json(encode_frame(envelopes), example)


@pytest.mark.parametrize("example", examples("letter"))
def test_a_dead_letter_is_read_and_written_as_documented(example: str) -> None:
    letter = decode_entry(example.encode())
    assert isinstance(letter, DeadLetter)
    assert (letter.envelope is None) != (letter.frame is None)
    assert same_json(encode_entry(letter), example)


@pytest.mark.parametrize("example", examples("mark"))
def test_a_mark_is_read_and_written_as_documented(example: str) -> None:
    mark = decode_entry(example.encode())
    assert isinstance(mark, Mark)
    assert same_json(encode_entry(mark), example)


@pytest.mark.parametrize("example", examples("event"))
def test_an_event_is_read_and_written_as_documented(example: str) -> None:
    assert same_json(encode_event(decode_event(example)), example)


@pytest.mark.parametrize("example", examples("announcement"))
def test_an_announcement_is_read_and_written_as_documented(example: str) -> None:
    assert same_json(encode_announcement(decode_announcement(example.encode())), example)


@pytest.mark.parametrize("example", examples("history"))
def test_a_history_is_written_as_documented(example: str) -> None:
    letters = DeadLetterList()
    [death] = orjson.loads(example)
    first, again = (replace(decode_letter(), died_at=parse_time(death[name])) for name in ("died_at", "marked_at"))
    mark = Mark(first.uplink_id, Disposition(death["disposition"]), parse_time(death["marked_at"]), first.died_at)
    for entry in (first, mark, again):
        letters.add(encode_entry(entry))
    [letter] = letters
    written = orjson.dumps(letter_to_document(letter)["history"], option=orjson.OPT_UTC_Z)
    assert same_json(written, example)


async def test_a_serial_that_nobody_knows_is_told_as_a_worker_tells_it(tmp_path: Path) -> None:
    directory, letter = load_directory(tmp_path), decode_letter()
    assert letter.envelope is not None
    key, network = directory.key(letter.envelope.key_id), directory.network("lorawan")
    assert key is not None
    assert network is not None
    mapped = map_uplink(letter.envelope.uplinks()[0], key, network)
    assert isinstance(mapped, MappedUplink)
    outcome = await Resolver(refuse, cache_size=1, found_ttl=1, unknown_ttl=1).resolve(mapped)
    assert isinstance(outcome, DeadLettered)
    assert list_details(Reason.SERIAL_UNKNOWN) == {outcome.detail}


async def refuse(*_: object) -> DeviceToken:
    """Answer as TagoIO does where there is no such device."""
    read_statement(Statement(404, {}, {"status": False, "message": "Device Not Found"}))
    raise NotImplementedError


def test_so_is_a_frame_of_an_unknown_version() -> None:
    assert list_details(Reason.ENVELOPE_UNSUPPORTED) == {str(FrameUnsupportedError(7))}


def list_details(reason: Reason) -> set[str]:
    """Give what the page says in detail wherever something died of this reason."""
    deaths = [death for kind in ("letter", "event") for death in map(orjson.loads, examples(kind))]
    deaths += [death for example in examples("history") for death in orjson.loads(example)]
    return {death.get("facts", death)["detail"] for death in deaths if death["reason"] == reason}


def decode_letter() -> DeadLetter:
    letter = decode_entry(examples("letter")[0].encode())
    assert isinstance(letter, DeadLetter)
    return letter


def load_directory(folder: Path) -> Directory:
    (example,) = examples("directory")
    path = folder / "sluice.toml"
    path.write_text(example)
    names = set(re.findall(r"\$\{(\w+)\}", example))
    return FileDirectory(path, {name: f"token-{name}" for name in names}).current


def test_the_directory_document_loads(tmp_path: Path) -> None:
    (example,) = examples("directory")
    directory = load_directory(tmp_path)
    assert {key.id for key in directory.keys} == set(tomllib.loads(example)["authorizations"])
    assert {network.id for network in directory.networks} == set(tomllib.loads(example)["networks"])


@pytest.mark.parametrize("example", examples("served-directory"))
def test_the_directory_that_a_registry_serves_is_read_and_written_as_documented(example: str) -> None:
    directory = parse_served_directory(example.encode(), downstream_url="http://registry").directory
    (network,), (key,) = directory.networks, directory.keys
    rule = SerialNumber(mask=network.serial.format, case=network.serial.force_case)
    text = orjson.loads(example)["authorizations"][key.id]["additional_parameters"]
    assert key.field_map == parse_field_map(text)
    written = write_directory(
        [NetworkEntry(network.id, key.profile, "LoRaWAN", rule)],
        {network.id: network.token},
        [KeyEntry(key.id, key.profile, network.id, "Factory", text, enabled=key.enabled, token=key.token)],
    )
    assert same_json(written, example)


def test_the_first_uplink_of_the_frame_becomes_the_records_of_the_post() -> None:
    (frame,), (post,) = examples("frame"), examples("post")
    uplink = decode_frame(frame.encode())[0].uplinks()[0]
    mapped = map_fields(build_key(field_map="serial=devaddr;payload=payload_raw;port=fport").field_map, uplink)
    assert isinstance(mapped, MappedFields)
    assert same_json(orjson.dumps(mapped.records), post)
