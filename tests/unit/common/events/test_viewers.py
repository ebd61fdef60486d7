"""Who watches: whoever has said so not long ago."""

from common.events.announcement import Announcement, EventFilter
from common.events.viewers import MOST_VIEWERS, Viewers
from common.metrics import REGISTRY
from tests.support.waiting import eventually
from tests.unit.common.events.test_event import EVENT

SHORT, LONG = 0.05, 60


def announce(name: str = "viewer-1", *, details: bool = False) -> Announcement:
    return Announcement(name, details=details)


async def test_nobody_watches_at_first() -> None:
    viewers = Viewers(LONG)
    assert (viewers.watched, viewers.details_wanted, viewers.choose(EVENT)) == (False, False, [])


async def test_a_viewer_is_forgotten_when_it_no_longer_announces_itself() -> None:
    forgotten: list[str] = []
    viewers = Viewers(SHORT, forgotten.append)
    viewers.note(announce())
    assert viewers.watched
    await eventually(lambda: not viewers.watched)
    assert forgotten == ["viewer-1"]
    assert REGISTRY.get_sample_value("sluice_event_viewers") == 0


async def test_details_are_wanted_as_long_as_one_who_asked_is_there() -> None:
    viewers = Viewers(LONG)
    viewers.note(announce("viewer-1"))
    viewers.note(announce("viewer-2", details=True))
    assert viewers.details_wanted
    viewers.forget("viewer-2")
    assert (viewers.watched, viewers.details_wanted) == (True, False)


async def test_the_newest_announcement_of_a_viewer_counts() -> None:
    viewers = Viewers(LONG)
    viewers.note(Announcement("viewer-1", EventFilter(keys=frozenset({"another"}))))
    assert not viewers.choose(EVENT)
    viewers.note(announce())
    assert [each.viewer for each in viewers.choose(EVENT)] == ["viewer-1"]


async def test_whoever_can_use_most_uplinks_decides_how_many_are_told() -> None:
    viewers = Viewers(LONG)
    viewers.note(Announcement("viewer-1", uplinks_per_second=1))
    for _ in range(3):
        viewers.choose(EVENT)
    assert viewers.one_in > 1
    assert viewers.list_sampled() == {"viewer-1": viewers.one_in}
    viewers.note(announce("viewer-2"))
    assert viewers.one_in == 1
    viewers.forget("viewer-2")
    assert viewers.one_in > 1
    viewers.forget_all()
    assert viewers.one_in == 1


async def test_what_does_not_fit_a_viewer_is_nothing_that_it_is_told() -> None:
    viewers = Viewers(LONG)
    viewers.note(Announcement("viewer-1", EventFilter(keys=frozenset({"another"})), uplinks_per_second=1))
    for _ in range(100):
        viewers.choose(EVENT)
    assert viewers.one_in == 1


async def test_a_viewer_that_announces_itself_again_keeps_its_choice() -> None:
    viewers = Viewers(LONG)
    once = Announcement("viewer-1", uplinks_per_second=1)
    viewers.note(once)
    for _ in range(3):
        viewers.choose(EVENT)
    before = viewers.one_in
    viewers.note(once)
    assert viewers.one_in == before > 1
    viewers.forget_all()


async def test_so_many_viewers_are_heard_and_no_more() -> None:
    viewers = Viewers(LONG)
    assert all(viewers.note(announce(f"viewer-{number}")) for number in range(MOST_VIEWERS))
    assert not viewers.note(announce("one-too-many"))
    assert viewers.note(announce("viewer-0"))
    viewers.forget_all()
    assert not viewers.watched
