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
from common.directory.served import parse_served_directory
from common.envelope import decode_frame, encode_frame, parse_time
from common.events.announcement import decode_announcement, encode_announcement
from common.events.event import decode_event, encode_event
from common.fields.field_map import parse_field_map
from common.fields.records import MappedFields, map_fields
from registry.directory import write_directory
from registry.entries import KeyEntry, NetworkEntry, SerialNumber
from tests.support.directories import build_key

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


def decode_letter() -> DeadLetter:
    letter = decode_entry(examples("letter")[0].encode())
    assert isinstance(letter, DeadLetter)
    return letter


@pytest.mark.parametrize("example", examples("directory"))
def test_the_directory_document_loads(example: str, tmp_path: Path) -> None:
    path = tmp_path / "sluice.toml"
    path.write_text(example)
    names = set(re.findall(r"\$\{(\w+)\}", example))
    directory = FileDirectory(path, {name: f"token-{name}" for name in names}).current
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
