"""What a role is to the process that runs it."""

import asyncio
from typing import Protocol

from starlette.types import ASGIApp

from common.health import Health


class Role(Protocol):
    """One of Sluice's services: what it serves over HTTP, and what it does meanwhile."""

    @property
    def health(self) -> Health:
        """How it is; the process says when it drains."""

    @property
    def app(self) -> ASGIApp:
        """What it serves."""

    @property
    def port(self) -> int:
        """Where it serves; 0: any free port."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set, then finish what is in hand. Its HTTP server is stopped afterwards."""
