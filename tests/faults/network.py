"""The network between Sluice and its broker, in a thread of its own: a cell that waits must not hold it up."""

from contextlib import ExitStack
from typing import Self

from anyio.from_thread import start_blocking_portal

from tests.support.proxy import Proxy


class CuttableNetwork:
    """A proxy in front of one broker, or of several of which any will do."""

    def __init__(self, *urls: str) -> None:
        self._proxy = Proxy(*urls)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal())
        self._stack.enter_context(self._portal.wrap_async_context_manager(self._proxy))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Where Sluice finds its broker."""
        return self._proxy.url

    def blackhole(self) -> None:
        """See the proxy's."""
        self._portal.call(self._proxy.blackhole)

    def heal(self) -> None:
        """See the proxy's."""
        self._portal.call(self._proxy.heal)
