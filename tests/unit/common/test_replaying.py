from dataclasses import replace
from datetime import UTC, datetime

import pytest

from common.dead_letter import DeadLetter, Disposition, Mark
from common.envelope import FRAME_VERSION, decode_frame, encode_frame
from common.queue.protocol import Message
from common.queue.replaying import plan_replay
from common.reason import Reason
from tests.support.uplinks import build_envelope

NOW = datetime(2026, 11, 21, tzinfo=UTC)
FIRST_SEEN = datetime(2026, 11, 1, tzinfo=UTC)
ENVELOPE = replace(build_envelope({"serial": "AA"}, attempt=28), first_seen=FIRST_SEEN)
LETTER = DeadLetter("6a1f/0", Reason.ATTEMPTS_EXHAUSTED, "", 28, FIRST_SEEN, NOW, envelope=ENVELOPE)


def frame_letter(body: bytes, *, uplink_id: str = "frame/0b3c", uplinks: int = 1) -> DeadLetter:
    return replace(LETTER, uplink_id=uplink_id, envelope=None, frame=body, uplinks=uplinks)


def test_an_uplink_begins_anew_with_its_first_attempt() -> None:
    message = plan_replay(LETTER, NOW).message
    assert (message.uplinks, message.attempt, message.version) == (1, 1, FRAME_VERSION)
    assert decode_frame(message.body) == [replace(ENVELOPE, attempt=1)]


def test_it_keeps_the_time_at_which_it_was_first_seen() -> None:
    [envelope] = decode_frame(plan_replay(LETTER, NOW).message.body)
    assert envelope.first_seen == FIRST_SEEN


def test_the_mark_names_the_letter_and_no_other() -> None:
    assert plan_replay(LETTER, FIRST_SEEN).mark == Mark("6a1f/0", Disposition.REPLAYED, FIRST_SEEN, NOW, 1)


def test_each_replay_of_an_uplink_is_a_message_of_its_own() -> None:
    assert plan_replay(LETTER, NOW).message_id != plan_replay(LETTER, NOW).message_id


def test_a_frame_keeps_its_bytes_its_uplinks_and_its_id() -> None:
    replayed = plan_replay(frame_letter(b"\xff no frame", uplinks=7), NOW)
    assert replayed.message == Message(b"\xff no frame", uplinks=7)
    assert replayed.message_id == "0b3c"


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (encode_frame([ENVELOPE]), FRAME_VERSION),
        (b'{"version":7}', 7),
        (b'{"version":"7"}', FRAME_VERSION),
        (b'{"version":-1}', FRAME_VERSION),
        (b'{"version":99999999999999999}', FRAME_VERSION),
        (b'{"version":true}', FRAME_VERSION),
    ],
)
def test_the_version_of_a_frame_is_read_from_it_where_there_is_one(body: bytes, version: int) -> None:
    assert plan_replay(frame_letter(body), NOW).message.version == version


def test_of_a_letter_that_is_cut_nothing_is_replayed() -> None:
    with pytest.raises(ValueError, match="6a1f/0"):
        plan_replay(frame_letter(b'{"vers', uplink_id="6a1f/0"), NOW)
