import pytest

from common.envelope import FrameUnreadableError, FrameUnsupportedError, decode_frame, encode_frame, join_frame
from tests.support.uplinks import build_envelope

GOOD = encode_frame([build_envelope()])

ODD = [
    GOOD.replace(b'"attempt":1', b'"attempt":%b' % attempt)
    for attempt in (b"-9", b"0", b"1e300", b"true", b'"1"', b"9999999")
] + [
    GOOD.replace(b"[[0,", b'[["a",'),
    GOOD.replace(b'"query":{}', b'"query":[]'),
    GOOD.replace(b'"key":"', b'"key":["",""],"x":"'),
]

OVERFLOWING = encode_frame([build_envelope()]).replace(b"2026-11-21T01:23:45.678901Z", b"0001-01-01T00:00:00+14:00")


def test_a_frame_comes_out_as_it_went_in() -> None:
    envelopes = [build_envelope({"serial": "A"}, {"serial": "B"}), build_envelope(None), build_envelope([{"n": 1}])]
    assert decode_frame(encode_frame(envelopes)) == envelopes


def test_a_probe_holds_nothing() -> None:
    assert decode_frame(join_frame(())) == []


def test_an_uplinks_id_is_its_group_and_index() -> None:
    assert [uplink.id for uplink in build_envelope({}, {}, group="g").uplinks()] == ["g/0", "g/1"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"3",
        b"null",
        b"{}",
        b'{"version":1}',
        b'{"version":1,"envelopes":[{}]}',
        b'{"version":[]}',
        OVERFLOWING,
        *ODD,
    ],
)
def test_anything_else_is_no_frame(body: bytes) -> None:
    with pytest.raises(FrameUnreadableError):
        decode_frame(body)


@pytest.mark.parametrize("version", [0, 2, 7, '"1"'])
def test_another_version_is_told_from_a_broken_frame(version: object) -> None:
    with pytest.raises(FrameUnsupportedError, match=f"frame version {str(version).strip(chr(34))} is not supported"):
        decode_frame(b'{"version":%b,"envelopes":[]}' % str(version).encode())
