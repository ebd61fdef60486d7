"""Every example in docs/wire-format.md is what the code reads and writes."""

import re
import tomllib
from pathlib import Path
from typing import Any

import orjson
import pytest

from common.dead_letter import DeadLetter, Mark, decode_entry, encode_entry
from common.directory.file import FileDirectory
from common.envelope import decode_frame, encode_frame
from common.fields.records import MappedFields, map_fields
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


@pytest.mark.parametrize("example", examples("directory"))
def test_the_directory_document_loads(example: str, tmp_path: Path) -> None:
    path = tmp_path / "sluice.toml"
    path.write_text(example)
    names = set(re.findall(r"\$\{(\w+)\}", example))
    directory = FileDirectory(path, {name: f"token-{name}" for name in names}).current
    assert {key.id for key in directory.keys} == set(tomllib.loads(example)["authorizations"])
    assert {network.id for network in directory.networks} == set(tomllib.loads(example)["networks"])


def test_the_first_uplink_of_the_frame_becomes_the_records_of_the_post() -> None:
    (frame,), (post,) = examples("frame"), examples("post")
    uplink = decode_frame(frame.encode())[0].uplinks()[0]
    mapped = map_fields(build_key(field_map="serial=devaddr;payload=payload_raw;port=fport").field_map, uplink)
    assert isinstance(mapped, MappedFields)
    assert same_json(orjson.dumps(mapped.records), post)
