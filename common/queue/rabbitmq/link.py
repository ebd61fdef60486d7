"""A connection that is kept up: connect, serve, and on loss once more."""

import asyncio

import structlog
from yarl import URL

from common.queue.protocol import QueueMissingError, QueueUnavailableError
from common.queue.rabbitmq.problems import describe
from common.queue.rabbitmq.session import Prepare, Session, open_session
from common.queue.rabbitmq.timing import Timing
from common.tls import TlsFiles

log = structlog.get_logger()


class Link:
    """Holds one :class:`Session` after the other, from the first use until it is closed.

    aio-pika's own robust connection is not used: its publishers wait for a reconnection without a limit, and it keeps
    the deliveries of a channel that is gone. ``subject`` is what the log says is there or lost with the connection.
    """

    def __init__(
        self, url: URL, *, name: str, prepare: Prepare, timing: Timing, tls: TlsFiles, subject: str = "queue"
    ) -> None:
        self._url = url
        self._name = name
        self._prepare = prepare
        self._timing = timing
        self._tls = tls
        self._connected_event, self._lost_event = f"{subject}.connected", f"{subject}.lost"
        self._broker = str(url.with_user(None).with_query(None))
        self._session: Session | None = None
        self._why_away = "not connected yet"
        self._queues_missing = False
        self._last_logged: str | None = None
        self._first_attempt_ended = asyncio.Event()
        self._changed = asyncio.Condition()
        self._supervisor: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def is_started(self) -> bool:
        """Whether anybody has used the link yet."""
        return self._supervisor is not None

    @property
    def why_away(self) -> str | None:
        """Why there is no connection; None while there is one."""
        return self._why_away if self._session is None else self._session.why_lost

    def start(self) -> None:
        """Begin to connect, unless that was done before."""
        if self._supervisor is None and not self._is_closed:
            self._supervisor = asyncio.create_task(self._keep_up())

    async def session(self) -> Session:
        """Give the session; waits for the first attempt to connect, and no longer.

        Raises :class:`QueueUnavailableError` at once while the broker is known to be away.
        """
        self.start()
        await self._first_attempt_ended.wait()
        if self._session is None or self._session.why_lost is not None:
            kind = QueueMissingError if self._queues_missing else QueueUnavailableError
            raise kind(f"RabbitMQ at {self._broker} cannot be used: {self.why_away}")
        return self._session

    async def next_session(self) -> Session | None:
        """Wait for a session that is not lost, however long that takes; None once the link is closed."""
        self.start()
        async with self._changed:
            await self._changed.wait_for(lambda: self._is_closed or self.why_away is None)
        return self._session

    async def close(self) -> None:
        """Close the connection for good. Never raises, may be called twice."""
        self._is_closed = True
        await self._change(None, "the queue was closed")
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})

    async def _keep_up(self) -> None:
        while True:
            try:
                session = await open_session(
                    self._url, name=self._name, prepare=self._prepare, timing=self._timing, tls=self._tls
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, trying again is all there is to do
                self._queues_missing = isinstance(error, QueueMissingError)
                await self._lose(describe(error))
            else:
                await self._serve(session)
            await asyncio.sleep(self._timing.pause_seconds)

    async def _serve(self, session: Session) -> None:
        try:
            await self._change(session, None)
            self._last_logged = None
            log.info(self._connected_event, connection=self._name, broker=self._broker)
            await self._lose(await session.wait_lost())
        finally:
            await session.close(self._timing.goodbye_seconds)

    async def _lose(self, why: str) -> None:
        await self._change(None, why)
        if why != self._last_logged:
            self._last_logged = why
            log.warning(self._lost_event, connection=self._name, broker=self._broker, why=why)

    async def _change(self, session: Session | None, why_away: str | None) -> None:
        async with self._changed:
            self._session = session
            self._why_away = why_away or self._why_away
            self._changed.notify_all()
        self._first_attempt_ended.set()
