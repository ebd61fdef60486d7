"""What may go wrong between us and the broker, in the words of the protocol."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from common.queue.protocol import QueueUnavailableError, UnroutableError
from common.tls import explain_distrust


class NoAnswerError(QueueUnavailableError):
    """The broker did not answer in time: vanished, half-open, stuck or blocking."""


class QueueMismatchError(QueueUnavailableError):
    """A queue exists with other arguments than ours. Nothing but an operator can mend it."""

    def __init__(self, queue: str, answer: str) -> None:
        super().__init__(
            f"queue {queue!r} exists with other arguments ({answer}): put the setting back, choose another prefix for"
            " the queues, or delete this one once it is empty"
        )


class QueueDeletedError(UnroutableError):
    """Somebody deleted a queue of ours."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"queue {queue!r} was deleted; it is declared anew soon")
        self.queue = queue


class StreamNotReadyError(QueueUnavailableError):
    """The stream is declared, but runs not yet, or not on the node that was asked."""


@asynccontextmanager
async def answered_within(seconds: float, doing: str) -> AsyncIterator[None]:
    """Bound what is asked of the broker, and translate what the library raises; ``doing`` begins the message."""
    try:
        async with asyncio.timeout(seconds):
            with translated(doing):
                yield
    except TimeoutError as error:
        raise NoAnswerError(f"{doing}: RabbitMQ did not answer within {seconds:g} s") from error


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise :class:`QueueUnavailableError` in place of whatever the library raises for a connection that is gone.

    Two of those look like something else: aiormq ends what waits on a closed channel with a CancelledError although
    nobody cancelled the task, and with a bare Exception when the connection ended without an error.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise QueueUnavailableError(f"{doing}: {describe(error)}") from error
    except Exception as error:
        if isinstance(error, CONNECTION_EXCEPTIONS) or type(error) is Exception:
            raise QueueUnavailableError(f"{doing}: {describe(error)}") from error
        raise


def describe(error: BaseException | None) -> str:
    """Say an error in one line; a connection that ended without one was closed by the broker."""
    if error is None or type(error) is Exception or isinstance(error, asyncio.CancelledError):
        return "the connection was closed"
    return explain_distrust(error) or str(error) or type(error).__name__
