"""How letters are shown to people."""

import io
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from rich.console import Console, RenderableType

from cli.dead_story import (
    DETAIL_CHARACTERS,
    letter_to_document,
    show_letters,
    show_story,
    story_to_document,
    tabulate_counts,
)
from common.dead_letter import FRAME_CHARACTERS, DeadLetter, Death, Disposition, entry_to_document
from common.reason import Reason
from common.remedy import REMEDIES
from tests.support.directories import build_directory, build_key, build_network
from tests.support.letters import DIED_AT, GROUP, build_frame_letter, build_letter

DIRECTORY = build_directory(
    build_key("factory", network="lorawan", field_map="serial=devaddr"), networks=(build_network("lorawan"),)
)
DEATH = Death(
    Reason.VALUE_REFUSED,
    "too long",
    28,
    DIED_AT - timedelta(days=1),
    Disposition.REPLAYED,
    DIED_AT - timedelta(hours=1),
)


def render(shown: RenderableType, *, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def tabulate(*letters: DeadLetter, width: int = 200) -> str:
    return render(show_letters(letters, {Reason.SERIAL_UNKNOWN: len(letters)}, columns=width), width=width)


def test_a_row_shows_the_uplink_its_reason_key_time_attempts_and_detail() -> None:
    [row] = [line for line in tabulate(build_letter(4)).splitlines() if GROUP in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == [f"{GROUP}/4", "serial_unknown", "factory", "2026-11-21 01:23:45Z", "3", "Device Not Found"]


def test_a_letter_of_a_whole_frame_has_no_key() -> None:
    assert "frame/0b3c6d0e" in tabulate(build_frame_letter())


def test_the_title_counts_all_letters_and_says_how_many_are_shown() -> None:
    by_reason = {Reason.SERIAL_UNKNOWN: 1_000, Reason.VALUE_REFUSED: 234}
    table = show_letters([build_letter(0)], by_reason, columns=200)
    assert "dead letters: 1,234, the first 1 are shown" in render(table)
    assert "serial_unknown 1,000, value_refused 234" in render(table)
    assert "shown" not in tabulate(build_letter(0))


def test_on_a_narrow_terminal_a_letter_has_a_line_and_one_below_it() -> None:
    letter = build_letter(
        0, key="6b01a07e202b087d7f957bc3", reason=Reason.DOWNSTREAM_REFUSED, detail="No such variable"
    )
    first, second = tabulate(letter, width=80).splitlines()[1:3]
    assert first.split() == [f"{GROUP}/0", "downstream_refused", "2026-11-21", "01:23:45Z"]
    assert second.rstrip() == "    key 6b01a07e202b087d7f957bc3, 3 attempts: No such variable"


def test_a_message_that_nobody_could_read_has_no_key_on_a_narrow_terminal() -> None:
    assert "    3 attempts: Device Not Found" in tabulate(build_frame_letter(), width=80)


def test_what_a_device_sent_is_not_taken_for_markup() -> None:
    assert "serial '[red]'" in tabulate(build_letter(detail="serial '[red]'"))


def test_a_longer_detail_is_cut_and_says_so() -> None:
    row = tabulate(build_letter(detail="x" * (DETAIL_CHARACTERS + 1)), width=300)
    assert "x" * (DETAIL_CHARACTERS - 1) + "…" in row


def test_counts_come_with_the_most_frequent_reason_first_and_a_sum() -> None:
    rows = render(tabulate_counts({Reason.VALUE_REFUSED: 1, Reason.SERIAL_UNKNOWN: 1_000}, title="to be replayed"))
    assert rows.index("serial_unknown") < rows.index("value_refused") < rows.index("1,001")


@pytest.mark.parametrize(
    "said",
    [
        f"{GROUP}/0",
        "serial_unknown",
        "Device Not Found",
        REMEDIES[Reason.SERIAL_UNKNOWN],
        "2026-11-21 01:23:45Z",
        "factory",
        "lorawan",
        "12BAB34B55",
        '"devaddr": "12BAB34B55"',
        "what happened before",
        "too long",
        "replayed at 2026-11-21 00:23:45Z",
    ],
)
def test_a_story_tells_everything(said: str) -> None:
    letter = replace(build_letter(item={"devaddr": "12BAB34B55"}), history=(DEATH,))
    assert said in render(show_story(letter, DIRECTORY))


def test_a_story_does_without_a_directory_and_without_a_history() -> None:
    story = render(show_story(build_letter(), None))
    assert "12BAB34B55" in story
    assert "network" not in story
    assert "before" not in story


def test_a_death_about_which_nothing_was_done_says_so() -> None:
    letter = replace(build_letter(), history=(replace(DEATH, disposition=None, marked_at=None),))
    assert "died again by itself" in render(show_story(letter, None))


def test_a_device_writes_nothing_to_the_terminal_but_text() -> None:
    story = render(show_story(build_letter(item={"serial": "\u009b31m\u202e[red]"}, detail="\x1b[2J"), None))
    assert "\u009b" not in story
    assert "\u202e" not in story
    assert "\x1b[2J" not in story
    assert "[red]" in story


def test_a_frame_is_shown_as_far_as_it_is_text_and_not_without_an_end() -> None:
    story = render(show_story(build_frame_letter(b'{"version":7}\xff' + b"x" * 10_000), None))
    assert '{"version":7}�x' in story
    assert "the message as it came, 10,014 bytes" in story
    assert len(story) < FRAME_CHARACTERS + 2_000


def test_of_a_letter_that_is_cut_the_story_says_so() -> None:
    story = render(show_story(build_frame_letter(b'{"vers', uplink_id=f"{GROUP}/0"), None))
    assert "the beginning of the message that it came in" in story


def test_the_json_of_a_letter_is_its_entry_with_its_history() -> None:
    letter = replace(build_letter(), history=(DEATH,))
    document = orjson.loads(orjson.dumps(letter_to_document(letter), option=orjson.OPT_UTC_Z))
    history = document.pop("history")
    assert document == orjson.loads(orjson.dumps(entry_to_document(letter), option=orjson.OPT_UTC_Z))
    assert history == [
        {
            "reason": "value_refused",
            "detail": "too long",
            "attempts": 28,
            "died_at": "2026-11-20T01:23:45.702345Z",
            "disposition": "replayed",
            "marked_at": "2026-11-21T00:23:45.702345Z",
        }
    ]


def test_the_json_of_a_story_says_what_to_do() -> None:
    document = story_to_document(build_letter(item={"devaddr": "12BAB34B55"}), DIRECTORY)
    assert document["remedy"] == REMEDIES[Reason.SERIAL_UNKNOWN]
    assert (document["serial"], document["network"]) == ("12BAB34B55", "lorawan")
