"""From an HTTP message to the bytes of its body: limits, time, compression."""

import asyncio
import zlib

from starlette.types import Receive

from common.reason import Reason
from ingest.refusal import RefusedError, build_unavailable

GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""zlib's way to say: a gzip header and trailer, and the largest window."""

GZIP_OVERHEAD = 1_024
"""By how much the gzip of what cannot be compressed is larger than itself, at a megabyte, and more."""


READING_BYTES = 64_000_000
"""Of the bodies that are still arriving, all together: thousands of slow senders may hold no more than that."""

READING_RETRY_AFTER_SECONDS = 2
"""Most bodies are there within a second."""


class SenderGoneError(Exception):
    """The sender closed the connection before its request was whole; there is nobody to answer."""


class Reading:
    """How many decoded bytes are held of the bodies that are still arriving."""

    def __init__(self) -> None:
        self._held = 0

    def hold(self, size: int) -> None:
        """Hold so many more; raises :class:`RefusedError` (503) when it is too much, and holds them all the same."""
        self._held += size
        if self._held > READING_BYTES:
            raise build_unavailable("too many requests are arriving at once", READING_RETRY_AFTER_SECONDS)

    def let_go(self, size: int) -> None:
        """Hold so many less."""
        self._held -= size


async def read_body(receive: Receive, reading: Reading, *, coding: str, limit: int, seconds: float) -> bytes:
    """Read the body, at most ``limit`` decoded bytes, within ``seconds``.

    ``coding`` is the Content-Encoding: empty, ``identity`` or ``gzip``. Raises :class:`RefusedError` (413, 408, 415,
    400, 503) and :class:`SenderGoneError`.
    """
    decoder = _create_decoder(coding, limit)
    held = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise SenderGoneError
                decoder.feed(event.get("body", b""))
                grown, held = decoder.size - held, decoder.size
                reading.hold(grown)
                if not event.get("more_body", False):
                    return decoder.finish()
    except TimeoutError:
        raise RefusedError(
            Reason.REQUEST_TIMEOUT,
            f"The request did not arrive whole within {seconds:g} s",
            headers={"Connection": "close"},
        ) from None
    finally:
        reading.let_go(held)


def read_whole(body: bytes, *, coding: str, limit: int) -> bytes:
    """Decode a body that came in one piece; raises as :func:`read_body` does."""
    if not coding and len(body) <= limit:
        return body
    decoder = _create_decoder(coding, limit)
    decoder.feed(body)
    return decoder.finish()


def _create_decoder(coding: str, limit: int) -> "_Plain":
    match coding.strip().lower():
        case "" | "identity":
            return _Plain(limit)
        case "gzip" | "x-gzip":
            return _Gzip(limit)
        case other:
            raise RefusedError(
                Reason.CONTENT_TYPE_UNSUPPORTED,
                f"Content-Encoding {other!r} is not supported: send gzip, or no coding at all",
                headers={"Accept-Encoding": "gzip"},
            )


class _Plain:
    """Collects a body as it is."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.size = 0
        self._chunks: list[bytes] = []

    def feed(self, data: bytes) -> None:
        self._append(data)

    def finish(self) -> bytes:
        return b"".join(self._chunks)

    def _append(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._limit:
            raise self._too_large()
        self._chunks.append(data)

    def _too_large(self) -> RefusedError:
        """The server reads and drops the rest, so that a sender who listens only at the end gets this answer."""
        return RefusedError(
            Reason.BODY_TOO_LARGE, f"The body is larger than {self._limit} bytes: send fewer uplinks in one request"
        )


class _Gzip(_Plain):
    """Decompresses while reading, and never more than the limit: a bomb is refused before it unfolds."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._inflate = zlib.decompressobj(GZIP_WINDOW)
        self._complete = True
        self._compressed = 0

    def feed(self, data: bytes) -> None:
        self._compressed += len(data)
        if self._compressed > self._limit + GZIP_OVERHEAD:  # empty members unfold to nothing, however many come
            raise self._too_large()
        while data:
            if self._inflate.eof:  # a gzip file may consist of several members
                self._inflate = zlib.decompressobj(GZIP_WINDOW)
            try:
                self._append(self._inflate.decompress(data, self._limit + 1 - self.size))
            except zlib.error as error:
                raise RefusedError(Reason.BODY_MALFORMED, f"The body is not valid gzip: {error}") from None
            self._complete = self._inflate.eof
            data = self._inflate.unconsumed_tail or self._inflate.unused_data

    def finish(self) -> bytes:
        if not self._complete:
            raise RefusedError(Reason.BODY_MALFORMED, "The gzip stream ends too early: the body was cut off")
        return super().finish()
