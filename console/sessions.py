"""Who is signed in: sessions in this process's memory, found by a random id that only the browser's cookie has.

A restart signs everybody out. Several consoles behind one address need a load balancer that keeps a browser at one.
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from pydantic import SecretStr

LIFE_SECONDS = 12 * 3_600.0
"""From signing in: a working day, whatever happens."""

IDLE_SECONDS = 3_600.0
"""Without a request."""

MOST_SESSIONS = 1_000
"""Beyond it the session goes that was used least recently, so that nobody fills the memory by signing in."""

MOST_NOTICES = 20
"""Of one session; beyond it the oldest are forgotten, so that nobody fills the memory by sending forms alone."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Who is signed in, as the registry describes the profile."""

    id: str
    name: str
    administrator: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """What the next page says once. ``secret`` is a token that is shown this once and kept nowhere.

    ``place`` is the part of the page that it stands in; empty: its head.
    """

    text: str
    secret: str | None = None
    place: str = ""
    is_fault: bool = False


@dataclass(slots=True)
class Session:
    """One browser that is signed in. ``form_token`` stands in each of its forms, and nowhere else."""

    token: SecretStr
    profile: Profile
    started: float
    used: float
    checked: float
    """When the registry was last seen to know the token."""
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    notices: deque[Notice] = field(default_factory=partial(deque, maxlen=MOST_NOTICES))

    def accepts(self, form_token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(form_token.encode(), self.form_token.encode())

    def take_notices(self) -> list[Notice]:
        """Give what is to be said, and forget it."""
        notices = list(self.notices)
        self.notices.clear()
        return notices


class Sessions:
    """The sessions of a console. ``clock`` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, token: SecretStr, profile: Profile) -> str:
        """Begin a session, and give the id for its cookie."""
        now = self.clock()
        while len(self._sessions) >= MOST_SESSIONS:
            self._sessions.popitem(last=False)
        session_id = secrets.token_urlsafe(32)
        self._sessions[_digest(session_id)] = Session(token, profile, started=now, used=now, checked=now)
        return session_id

    def find(self, session_id: str) -> Session | None:
        """Give a session that is neither too old nor idle for too long; that counts as a use."""
        key = _digest(session_id)
        session = self._look_up(key)
        if session is not None:
            session.used = self.clock()
            self._sessions.move_to_end(key)
        return session

    def lives(self, session_id: str) -> bool:
        """Whether there is such a session; a page that stays open does not count as a use."""
        return self._look_up(_digest(session_id)) is not None

    def end(self, session_id: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(_digest(session_id), None)

    def _look_up(self, key: str) -> Session | None:
        now, session = self.clock(), self._sessions.get(key)
        if session is not None and (now - session.started >= LIFE_SECONDS or now - session.used >= IDLE_SECONDS):
            del self._sessions[key]
            return None
        return session


def _digest(session_id: str) -> str:
    """Hash the id, so that looking it up does not tell by its time how near a guess was."""
    return hashlib.sha256(session_id.encode()).hexdigest()
