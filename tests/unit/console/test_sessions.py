"""How long a session lasts, and what it says once."""

import pytest
from pydantic import SecretStr

from console.sessions import IDLE_SECONDS, LIFE_SECONDS, MOST_NOTICES, MOST_SESSIONS, Notice, Profile, Session, Sessions

PROFILE = Profile("6a1f0c52d3b19e4477aa01c9", "Mill", administrator=False)
TOKEN = SecretStr("p-0123456789abcdef")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock)


def require(session: Session | None) -> Session:
    assert session is not None
    return session


def test_a_session_is_found_by_its_id_alone(sessions: Sessions) -> None:
    session_id = sessions.open(TOKEN, PROFILE)
    assert require(sessions.find(session_id)).profile == PROFILE
    assert sessions.find("") is None
    assert sessions.find(session_id[:-1]) is None
    assert len(session_id) >= 43  # 256 bits


def test_it_ends_when_it_is_told_to(sessions: Sessions) -> None:
    session_id = sessions.open(TOKEN, PROFILE)
    sessions.end(session_id)
    sessions.end(session_id)
    assert sessions.find(session_id) is None


def test_it_ends_after_an_idle_hour_and_not_while_it_is_used(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.open(TOKEN, PROFILE)
    clock.now += IDLE_SECONDS - 1
    assert sessions.find(session_id) is not None
    clock.now += IDLE_SECONDS - 1
    assert sessions.find(session_id) is not None
    clock.now += IDLE_SECONDS
    assert sessions.find(session_id) is None


def test_it_ends_after_its_life_however_much_it_is_used(sessions: Sessions, clock: Clock) -> None:
    session_id, began = sessions.open(TOKEN, PROFILE), clock.now
    while clock.now + IDLE_SECONDS / 2 < began + LIFE_SECONDS:
        clock.now += IDLE_SECONDS / 2
        assert sessions.find(session_id) is not None
    clock.now = began + LIFE_SECONDS
    assert sessions.find(session_id) is None


def test_a_page_that_stays_open_does_not_keep_it(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.open(TOKEN, PROFILE)
    clock.now += IDLE_SECONDS - 1
    assert sessions.lives(session_id)
    clock.now += 1
    assert not sessions.lives(session_id)


def test_beyond_the_limit_the_one_goes_that_was_used_least_recently(sessions: Sessions) -> None:
    oldest, second = sessions.open(TOKEN, PROFILE), sessions.open(TOKEN, PROFILE)
    assert sessions.find(oldest) is not None
    for _ in range(MOST_SESSIONS - 1):
        sessions.open(TOKEN, PROFILE)
    assert sessions.find(second) is None
    assert sessions.find(oldest) is not None


def test_forms_of_one_session_are_foreign_to_another(sessions: Sessions) -> None:
    one, other = (require(sessions.find(sessions.open(TOKEN, PROFILE))) for _ in range(2))
    assert one.accepts(one.form_token)
    assert not one.accepts(other.form_token)
    assert not one.accepts("")
    assert not one.accepts("é")


def test_a_notice_is_said_once(sessions: Sessions) -> None:
    session = require(sessions.find(sessions.open(TOKEN, PROFILE)))
    session.notices.append(Notice("Saved", "n-secret"))
    assert session.take_notices() == [Notice("Saved", "n-secret")]
    assert session.take_notices() == []


def test_notices_that_no_page_takes_fill_no_memory(sessions: Sessions) -> None:
    session = require(sessions.find(sessions.open(TOKEN, PROFILE)))
    session.notices.extend(Notice(str(number)) for number in range(MOST_NOTICES + 1))
    assert [notice.text for notice in session.take_notices()] == [str(number) for number in range(1, MOST_NOTICES + 1)]


def test_no_session_shows_its_token(sessions: Sessions) -> None:
    assert TOKEN.get_secret_value() not in repr(require(sessions.find(sessions.open(TOKEN, PROFILE))))
