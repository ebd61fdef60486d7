"""The directory that follows its file."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import chain, repeat
from pathlib import Path

import pytest
from structlog.typing import EventDict

from common.directory.file import REFRESH_SECONDS, DirectoryError, FileDirectory
from common.directory.source import DirectorySource
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("gauge")

POLL_SECONDS = 0.005


def text_with(*keys: str) -> str:
    tables = [f'[authorizations.{key}]\ntoken = "at-secret-{key}"\nnetwork = "plain"\n' for key in keys]
    head = '[downstream]\nurl = "https://downstream"\n[networks.plain]\ntoken = "n-secret-plain"\n'
    return head + "".join(tables)


BROKEN = text_with("broken").replace('network = "plain"', 'netwrok = "plain"')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "sluice.toml"
    path.write_text(text_with("first"))
    return path


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[FileDirectory]:
    source = FileDirectory(path, {}, poll_seconds=POLL_SECONDS)
    watch = asyncio.create_task(source.watch())
    yield source
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch


def edit(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


def ids(source: DirectorySource) -> list[str]:
    return [key.id for key in source.current.keys]


def test_the_file_is_read_at_once(path: Path) -> None:
    source = FileDirectory(path, {})
    assert ids(source) == ["first"]
    assert source.degraded is None


def test_another_downstream_outlives_a_reload(path: Path) -> None:
    source = FileDirectory(path, {}, downstream_url="http://registry:8081")
    source.reload()
    assert source.degraded is None
    assert source.current.downstream.url == "http://registry:8081"


def test_a_start_with_a_broken_file_fails_and_names_it(path: Path) -> None:
    edit(path, BROKEN)
    with pytest.raises(DirectoryError) as refusal:
        FileDirectory(path, {})
    assert str(refusal.value).startswith(f"{path}: 2 problems")


def test_a_start_without_a_file_fails_and_says_what_to_do(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(DirectoryError) as refusal:
        FileDirectory(missing, {})
    message = str(refusal.value)
    assert message.startswith(f"{missing}: cannot be read: No such file or directory; where there is a registry")
    assert message.endswith("put the file there, or name another in SLUICE_DIRECTORY")
    assert "SLUICE_DIRECTORY_TOKEN" in message


def test_a_reload_takes_the_new_content_and_logs_how_much_there_is(path: Path, logs: list[EventDict]) -> None:
    source = FileDirectory(path, {})
    before = source.current
    edit(path, text_with("first", "second"))
    source.reload()
    assert ids(source) == ["first", "second"]
    assert [key.id for key in before.keys] == ["first"]
    assert logs == [
        {
            "event": "directory.reloaded",
            "log_level": "info",
            "file": str(path),
            "networks": 1,
            "authorizations": 2,
        }
    ]


def test_a_reload_of_a_broken_file_keeps_the_last_good_copy_and_says_why(
    path: Path, logs: list[EventDict], gauge: Callable[[], float | None]
) -> None:
    source = FileDirectory(path, {})
    good = source.current
    edit(path, BROKEN)
    source.reload()
    assert source.current is good
    assert source.degraded is not None
    assert "[authorizations.broken] netwrok: no such field; did you mean network?" in source.degraded
    assert gauge() == 1
    assert logs == [
        {
            "event": "directory.refused",
            "log_level": "error",
            "problem": source.degraded,
            "file": str(path),
            "networks": 1,
            "authorizations": 1,
        }
    ]
    assert "secret" not in repr(logs)


def test_a_file_that_was_mended_ends_the_degradation(path: Path, gauge: Callable[[], float | None]) -> None:
    source = FileDirectory(path, {})
    path.unlink()
    source.reload()
    assert source.degraded is not None
    assert ids(source) == ["first"]
    edit(path, text_with("first"))
    source.reload()
    assert source.degraded is None
    assert gauge() == 0


async def test_a_refresh_finds_a_key_that_was_added(path: Path) -> None:
    source = FileDirectory(path, {})
    edit(path, text_with("first", "second"))
    await source.refresh()
    assert ids(source) == ["first", "second"]


async def test_a_refresh_looks_at_most_once_a_second(path: Path) -> None:
    clock = Clock()
    source = FileDirectory(path, {}, clock=clock)
    await source.refresh()
    edit(path, text_with("second"))
    clock.seconds += REFRESH_SECONDS * 0.99
    await source.refresh()
    assert ids(source) == ["first"]
    clock.seconds += REFRESH_SECONDS * 0.02
    await source.refresh()
    assert ids(source) == ["second"]


async def test_a_refresh_of_an_unchanged_file_does_nothing(path: Path, logs: list[EventDict]) -> None:
    clock = Clock()
    source = FileDirectory(path, {}, clock=clock)
    current = source.current
    await source.refresh()
    assert source.current is current
    edit(path, BROKEN)
    for _ in range(3):
        clock.seconds += REFRESH_SECONDS
        await source.refresh()
    assert [line["event"] for line in logs] == ["directory.refused"]


async def test_the_watch_notices_an_edit_in_place(path: Path) -> None:
    async with watching(path) as source:
        edit(path, text_with("second"))
        await eventually(lambda: ids(source) == ["second"])
        edit(path, text_with("fourth"))
        await eventually(lambda: ids(source) == ["fourth"])


async def test_the_watch_notices_a_file_that_was_put_in_place_of_the_other(path: Path) -> None:
    async with watching(path) as source:
        new = path.with_suffix(".new")
        new.write_text(text_with("second"))
        new.replace(path)
        await eventually(lambda: ids(source) == ["second"])


async def test_the_watch_notices_an_exchanged_symbolic_link(tmp_path: Path) -> None:
    """As Kubernetes does it: the file is a link through ``..data``, which is exchanged for one to a new directory."""
    for name, key in (("..old", "first"), ("..new", "second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sluice.toml").write_text(text_with(key))
    (tmp_path / "..data").symlink_to("..old")
    (tmp_path / "sluice.toml").symlink_to("..data/sluice.toml")
    async with watching(tmp_path / "sluice.toml") as source:
        assert ids(source) == ["first"]
        (tmp_path / "..data_tmp").symlink_to("..new")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        await eventually(lambda: ids(source) == ["second"])


async def test_the_watch_waits_until_the_file_was_written_whole(
    path: Path, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = chain((text_with(f"half{part}") for part in range(5)), repeat(text_with("whole")))
    async with watching(path) as source:
        monkeypatch.setattr(Path, "read_bytes", lambda _: next(contents).encode())
        await eventually(lambda: ids(source) == ["whole"])
    assert [line["event"] for line in logs] == ["directory.reloaded"]


async def test_the_watch_goes_on_after_a_broken_edit(path: Path, logs: list[EventDict]) -> None:
    async with watching(path) as source:
        edit(path, BROKEN)
        await eventually(lambda: source.degraded is not None)
        assert ids(source) == ["first"]
        edit(path, text_with("second"))
        await eventually(lambda: ids(source) == ["second"])
        assert source.degraded is None
    assert [line["event"] for line in logs] == ["directory.refused", "directory.reloaded"]


async def test_the_watch_notices_that_the_file_is_gone_and_back_again(path: Path, logs: list[EventDict]) -> None:
    async with watching(path) as source:
        remove(path)
        await eventually(lambda: source.degraded is not None)
        edit(path, text_with("first"))
        await eventually(lambda: source.degraded is None)
        assert ids(source) == ["first"]
    assert [line["event"] for line in logs] == ["directory.refused", "directory.reloaded"]
