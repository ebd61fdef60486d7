"""``sluice dead``: what each command does to the letters, what it says, and its exit code."""

import io
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli import dead as module
from cli import dead_selection
from cli.dead import TABLE_ROWS, app, list_dead, purge_dead, replay_dead, show_dead
from cli.dead_filter import LetterFilter
from cli.dead_story import letter_to_document
from cli.deployment import Deployment
from common.dead_letter import DeadLetter, Disposition
from common.directory.model import Directory
from common.queue.protocol import QueueMissingError, QueueUnavailableError
from common.reason import Reason
from common.settings import Settings
from tests.support.directories import build_directory, build_key, build_network
from tests.support.letters import GROUP, build_frame_letter, build_letter
from tests.support.queues import FakeQueue

DIRECTORY = """
[downstream]
url = "http://downstream"

[networks.lorawan]
token = "n-lorawan"

[networks.plain]
token = "n-plain"

[authorizations.factory]
token = "at-factory"
network = "lorawan"
additional_parameters = "serial=devaddr"

[authorizations.office]
token = "at-office"
network = "plain"
"""

OFFICE = LetterFilter(key=("office",))

Opened = list[dict[str, Any]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, serve_queue: Callable[[FakeQueue], None]) -> Callable[[FakeQueue], None]:
    """Have the command find this queue."""
    # It would replace the handlers that pytest listens with.
    monkeypatch.setattr(module, "configure_logs", lambda **_: None)
    return serve_queue


@pytest.fixture
def queue(serve: Callable[[FakeQueue], None]) -> FakeQueue:
    """Three letters: of two uplinks of a factory, and of one of an office."""
    queue = FakeQueue()
    queue.letters = [build_letter(1), build_letter(0, key="office"), build_letter(2, reason=Reason.VALUE_REFUSED)]
    serve(queue)
    return queue


@pytest.fixture
def directory(tmp_path: Path) -> Deployment:
    """A directory with the keys of these letters."""
    path = tmp_path / "sluice.toml"
    path.write_text(DIRECTORY)
    return Deployment(directory=str(path))


class Terminal(io.StringIO):
    """Standard input of a person who answers."""

    def isatty(self) -> bool:
        return True


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(text))


def ids(letters: list[DeadLetter]) -> list[str]:
    return [letter.uplink_id for letter in letters]


async def test_each_line_of_json_is_one_letter_in_the_order_of_the_queue(
    queue: FakeQueue, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    queue.letters.append(build_frame_letter())
    assert await list_dead(as_json=True) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert [orjson.loads(line) for line in lines] == [
        orjson.loads(orjson.dumps(letter_to_document(letter), option=orjson.OPT_UTC_Z)) for letter in queue.letters
    ]


@pytest.mark.usefixtures("queue")
async def test_an_existing_queue_is_opened_as_the_flags_and_the_settings_say(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_QUEUE_PREFIX", "edge")
    monkeypatch.setenv("SLUICE_DEAD_LETTER_DAYS", "7")
    await list_dead(where=Deployment(queue="amqp://broker/"))
    [options] = opened
    assert options.pop("name").startswith("sluice dead ")
    assert options == {
        "url": "amqp://broker/",
        "prefix": "edge",
        "ladder": Settings().ladder,
        "dead_letter_age": timedelta(days=7),
        "tls": Settings().tls,
        "existing_only": True,
    }


async def test_what_only_looks_leaves_the_letters_where_they_are(queue: FakeQueue) -> None:
    before = list(queue.letters)
    await list_dead()
    await show_dead(f"{GROUP}/1")
    await replay_dead(dry_run=True)
    await purge_dead(dry_run=True)
    assert (queue.letters, queue.published) == (before, [])


@pytest.mark.parametrize("error", [QueueUnavailableError("away"), QueueMissingError("there is no queue")])
async def test_a_queue_that_cannot_be_read_is_an_error_on_standard_error(
    serve: Callable[[FakeQueue], None], capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    class Broken(FakeQueue):
        async def dead_letters(self) -> AsyncIterator[DeadLetter]:
            raise error
            yield

    serve(Broken())
    for command in (list_dead(as_json=True), replay_dead(), purge_dead(yes=True), show_dead("a/0")):
        assert await command == 1
        assert capsys.readouterr() == ("", f"sluice: {error}\n")


async def test_a_limit_ends_the_json_and_shortens_the_table(
    queue: FakeQueue, capfd: pytest.CaptureFixture[str]
) -> None:
    await list_dead(as_json=True, limit=2)
    assert len(capfd.readouterr().out.splitlines()) == 2
    await list_dead(limit=2)
    assert "dead letters: 3, the first 2 are shown" in capfd.readouterr().out
    assert len(queue.letters) == 3


async def test_a_table_shows_no_more_than_a_person_reads(
    serve: Callable[[FakeQueue], None], capfd: pytest.CaptureFixture[str]
) -> None:
    queue = FakeQueue()
    queue.letters = [build_letter(index) for index in range(TABLE_ROWS + 1)]
    serve(queue)
    await list_dead()
    assert f"dead letters: {TABLE_ROWS + 1}, the first {TABLE_ROWS} are shown" in capfd.readouterr().out


async def test_a_filter_that_no_letter_fits_is_no_error(queue: FakeQueue) -> None:
    assert queue.letters
    assert await list_dead(which=LetterFilter(key=("nobody",))) == 0
    assert await replay_dead(which=LetterFilter(key=("nobody",))) == 0
    assert await purge_dead(which=LetterFilter(key=("nobody",)), yes=True) == 0
    assert len(queue.letters) == 3


async def test_an_uplink_that_is_not_on_the_list_is_named_and_the_others_are_dealt_with(
    queue: FakeQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await replay_dead(f"{GROUP}/1", f"{GROUP}/9") == 1
    assert f"not on the list: {GROUP}/9" in capsys.readouterr().err
    assert ids(queue.letters) == [f"{GROUP}/0", f"{GROUP}/2"]


async def test_a_network_is_found_in_the_directory(
    queue: FakeQueue, directory: Deployment, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await list_dead(which=LetterFilter(network=("plain",)), as_json=True, where=directory) == 0
    assert [orjson.loads(line)["uplink_id"] for line in capfd.readouterr().out.splitlines()] == [f"{GROUP}/0"]
    assert queue.letters


@pytest.mark.usefixtures("queue")
async def test_a_network_that_is_not_in_the_directory_is_an_error_that_names_the_closest(
    directory: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await list_dead(which=LetterFilter(network=("lora",)), where=directory) == 1
    assert "no network 'lora'; did you mean lorawan?" in capsys.readouterr().err


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of a registry, whose keys and networks have names."""
    named = build_directory(
        build_key("office", name="demo", network="n1"),
        build_key("k1", name="twice"),
        build_key("k2", name="twice"),
        networks=(build_network("n1", name="Generic Endpoint"), build_network("plain")),
    )

    async def read_directory(_: Settings) -> Directory:
        return named

    monkeypatch.setattr(dead_selection, "read_directory", read_directory)


@pytest.mark.usefixtures("queue", "names")
@pytest.mark.parametrize(
    "which",
    [LetterFilter(key=("demo",)), LetterFilter(key=("office",)), LetterFilter(network=("Generic Endpoint",))],
)
async def test_a_key_and_a_network_are_called_by_name_or_id(
    which: LetterFilter, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await list_dead(which=which, as_json=True) == 0
    output = capfd.readouterr()
    assert [orjson.loads(line)["uplink_id"] for line in output.out.splitlines()] == [f"{GROUP}/0"]
    assert output.err == ""


@pytest.mark.usefixtures("names")
async def test_a_name_of_several_is_an_error_with_their_ids(
    queue: FakeQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await purge_dead(which=LetterFilter(key=("twice",)), yes=True) == 1
    assert "name one by its id: k1, k2" in capsys.readouterr().err
    assert len(queue.letters) == 3


@pytest.mark.usefixtures("queue", "names")
async def test_letters_of_a_key_that_the_directory_does_not_have_are_listed_by_its_id_and_that_is_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert await list_dead(which=LetterFilter(key=("factory",))) == 0
    output = capfd.readouterr()
    assert "dead letters: 2" in output.out
    assert "the directory has no key 'factory'; it has demo, twice" in output.err


@pytest.mark.usefixtures("queue")
async def test_without_a_directory_a_key_is_taken_for_an_id_and_that_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = Deployment(directory=str(tmp_path / "missing.toml"))
    assert await list_dead(which=OFFICE, where=where) == 0
    output = capfd.readouterr()
    assert "dead letters: 1" in output.out
    assert "--key is taken for an id" in output.err
    assert "missing.toml: cannot be read" in output.err


@pytest.mark.usefixtures("queue")
async def test_a_network_without_a_directory_that_can_be_read_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = Deployment(directory=str(tmp_path / "missing.toml"))
    assert await purge_dead(which=LetterFilter(network=("plain",)), yes=True, where=where) == 1
    error = capsys.readouterr().err
    assert "--network needs the directory" in error
    assert "missing.toml" in error


@pytest.mark.usefixtures("queue")
async def test_a_serial_without_a_directory_is_looked_for_and_that_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = Deployment(directory=str(tmp_path / "missing.toml"))
    assert await list_dead(which=LetterFilter(serial=("12BAB34B55",)), where=where) == 0
    output = capfd.readouterr()
    assert "dead letters: 3" in output.out
    assert "common names" in output.err


@pytest.mark.usefixtures("queue")
async def test_a_story_needs_an_uplink_or_a_filter(capsys: pytest.CaptureFixture[str]) -> None:
    assert await show_dead() == 1
    assert "which letter?" in capsys.readouterr().err


@pytest.mark.usefixtures("queue")
async def test_a_story_is_told_of_each_letter_that_is_meant(capfd: pytest.CaptureFixture[str]) -> None:
    assert await show_dead(which=LetterFilter(reason=(Reason.SERIAL_UNKNOWN,))) == 0
    story = capfd.readouterr().out
    assert f"{GROUP}/0" in story
    assert f"{GROUP}/1" in story
    assert f"{GROUP}/2" not in story
    assert await show_dead(f"{GROUP}/2", as_json=True) == 0
    assert orjson.loads(capfd.readouterr().out)["serial"] == "12BAB34B55"


async def test_what_is_replayed_is_in_the_work_queue_and_off_the_list(
    queue: FakeQueue, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await replay_dead(which=OFFICE) == 0
    assert [envelope.items[0][0] for envelope in queue.accepted()] == [0]
    assert ids(queue.letters) == [f"{GROUP}/1", f"{GROUP}/2"]
    assert [disposition for _, disposition in queue.marks] == [Disposition.REPLAYED]
    output = capfd.readouterr()
    assert "serial_unknown" in output.out
    assert "1 of 1 were replayed" in output.err


async def test_a_dry_run_says_what_would_be_done_by_reason(queue: FakeQueue, capfd: pytest.CaptureFixture[str]) -> None:
    assert queue.letters
    assert await replay_dead(dry_run=True) == 0
    assert "would be replayed" in capfd.readouterr().out
    assert await purge_dead(dry_run=True) == 0
    assert "would be purged" in capfd.readouterr().out


async def test_a_letter_that_is_cut_is_named_and_stays_while_the_others_are_replayed(
    queue: FakeQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.letters.append(build_frame_letter(b'{"vers', uplink_id=f"{GROUP}/7"))
    assert await replay_dead() == 1
    assert ids(queue.letters) == [f"{GROUP}/7"]
    assert f"cannot be replayed, because a part is all that was kept: {GROUP}/7" in capsys.readouterr().err


async def test_what_died_again_since_it_was_counted_is_left_to_the_next_replay(
    serve: Callable[[FakeQueue], None],
) -> None:
    """Else a replay of what is hopeless would have no end."""
    first = build_letter()
    second = replace(first, died_at=first.died_at + timedelta(seconds=1))

    class DyingAgain(FakeQueue):
        async def dead_letters(self) -> AsyncIterator[DeadLetter]:
            yield self.letters.pop(0)

    queue = DyingAgain()
    queue.letters = [first, second]
    serve(queue)
    assert await replay_dead() == 0
    assert queue.published == []


async def test_a_replay_that_ends_early_says_how_far_it_came(
    queue: FakeQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.refuse(QueueUnavailableError("the broker is away"))
    assert await replay_dead() == 1
    assert capsys.readouterr().err == "sluice: 0 of 3 were replayed\nsluice: the broker is away\n"
    assert len(queue.letters) == 3


async def test_a_purge_without_a_terminal_is_refused_unless_it_is_meant(
    queue: FakeQueue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert await purge_dead(which=OFFICE) == 1
    assert "--yes" in capsys.readouterr().err
    assert len(queue.letters) == 3
    assert await purge_dead(which=OFFICE, yes=True) == 0
    assert ids(queue.letters) == [f"{GROUP}/1", f"{GROUP}/2"]
    assert [disposition for _, disposition in queue.marks] == [Disposition.PURGED]
    assert queue.published == []


@pytest.mark.parametrize(("text", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 3), ("\n", 1, 3), ("", 1, 3)])
async def test_a_purge_on_a_terminal_asks_and_takes_only_yes(
    queue: FakeQueue, monkeypatch: pytest.MonkeyPatch, text: str, code: int, left: int
) -> None:
    answer(monkeypatch, text)
    assert await purge_dead() == code
    assert len(queue.letters) == left


@pytest.mark.usefixtures("queue")
async def test_nobody_is_asked_while_the_queue_is_open(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    """Whoever thinks for a minute would lose the connection: it sends no heartbeats meanwhile."""
    opened_when_asked: list[int] = []

    def ask(_: str) -> bool:
        opened_when_asked.append(len(opened))
        return True

    answer(monkeypatch, "")
    monkeypatch.setattr(module, "ask", ask)
    assert await purge_dead() == 0
    assert (opened_when_asked, len(opened)) == ([1], 2)


@pytest.mark.parametrize("command", ["list", "show", "replay", "purge"])
def test_every_command_takes_the_same_filters(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    app([command, "--help"], exit_on_error=False, result_action="return_value")
    usage = capsys.readouterr().out
    for flag in ("--reason", "--key", "--network", "--serial", "--older-than", "--younger-than", "UPLINK_IDS"):
        assert flag in usage
    for flag in ("--queue", "--queue-prefix", "--directory"):
        assert flag in usage


def test_a_filter_is_read_from_the_command_line() -> None:
    _, bound, _ = app.parse_args(
        "replay a/0 --reason serial_unknown --reason value_refused --older-than 2h --key factory --rate 5",
        exit_on_error=False,
        print_error=False,
    )
    assert bound.args == ("a/0",)
    assert bound.kwargs["rate"] == 5
    assert bound.kwargs["which"] == LetterFilter(
        reason=(Reason.SERIAL_UNKNOWN, Reason.VALUE_REFUSED), key=("factory",), older_than=timedelta(hours=2)
    )
