"""The registry as a role: its parts, put together."""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import structlog
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from common.directory.model import Directory
from common.health import Health, create_health_routes
from registry.answer import InternalErrors, answer_refused, answer_unrouted
from registry.connectors import Connectors
from registry.data_reader import DataReader
from registry.data_writer import DataWriter
from registry.database import Database
from registry.device_routes import DeviceRoutes
from registry.devices import Devices
from registry.directory import build_directory
from registry.first_start import FirstStart, create_first_entries
from registry.keys import Keys
from registry.networks import Networks
from registry.profile_routes import ProfileRoutes
from registry.profiles import Profiles
from registry.refusal import RefusedError
from registry.schema import NETWORK_TOKENS
from registry.sealing import SealBrokenError, Sealer
from registry.secret_key import SecretKeyError, load_secret_key

DATABASE_FILE = "registry.db"

FORGETTING_INTERVAL_SECONDS = 60.0
"""How often the ids of uplinks that are old enough are forgotten."""

log = structlog.get_logger()


class Registry:
    """``sluice registry``, and the same in one process with the other roles.

    It is open inside ``async with``, which has to outlast :meth:`run` and the HTTP server. ``data`` is a folder, made
    where it is missing. ``secret_key`` is what tokens are kept under; without it a file in the folder holds one.
    Making one raises :class:`registry.secret_key.SecretKeyError` and OSError.

    The parts may be used in place of HTTP: :attr:`profiles`, :attr:`networks`, :attr:`connectors`, :attr:`devices`,
    :attr:`keys`. They raise :class:`registry.refusal.RefusedError`.
    """

    def __init__(self, data: Path, *, port: int, secret_key: SecretStr | None = None) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._database = Database(data / DATABASE_FILE)
        self._sealer = Sealer(load_secret_key(data, secret_key, database_exists=self._database.exists))
        self._writer = DataWriter(self._database)
        self.profiles = Profiles(self._database, self._sealer)
        self.networks = Networks(self._database, self._sealer)
        self.connectors = Connectors(self._database)
        self.devices = Devices(self._database, self._sealer)
        self.keys = Keys(self._database, self._sealer)
        self.first_start: FirstStart | None = None
        """What was created because the registry was empty; None in a later life."""
        self.port = port
        self.health = Health("registry", self._degraded)
        self.app: ASGIApp = self._create_app()

    async def __aenter__(self) -> Self:
        """Open the database, bring it up to date, and fill it when it is empty.

        Raises :class:`registry.database.DatabaseUnusableError` and :class:`registry.secret_key.SecretKeyError`.
        """
        try:
            await self._database.open()
            await self._check_secret_key()
            self.first_start = await create_first_entries(self._database, self._sealer)
        except BaseException:
            await self._database.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Store what still waits, and close the database."""
        await self._writer.finish()
        await self._database.close()

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until ``stopping`` is set, and forget old uplinks meanwhile."""
        self.health.started = True
        while not stopping.is_set():
            await self._forget_uplinks()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), FORGETTING_INTERVAL_SECONDS)

    async def read_directory(self, downstream_url: str) -> Directory:
        """Give the networks and keys of every profile as a directory, whose downstream is at this URL."""
        networks, tokens = await self.networks.list_all(), await self.networks.tokens()
        return build_directory(networks, tokens, await self.keys.list_all(), downstream_url=downstream_url)

    def _create_app(self) -> ASGIApp:
        of_devices = DeviceRoutes(self.networks, self.devices, self.keys, self._writer, DataReader(self._database))
        of_profiles = ProfileRoutes(self.profiles, self.networks, self.connectors, self.devices, self.keys)
        app = Starlette(
            routes=[*of_devices.routes, *of_profiles.routes, *create_health_routes(self.health)],
            middleware=[Middleware(InternalErrors)],
            exception_handlers={RefusedError: answer_refused, HTTPException: answer_unrouted},
        )
        app.router.redirect_slashes = False  # a redirect would tell a client nothing, and has no envelope
        return app

    async def _forget_uplinks(self) -> None:
        try:
            await self._writer.forget_uplinks(datetime.now(UTC))
        except SQLAlchemyError:  # they are remembered for longer than was promised, until the next time
            log.warning("uplinks.kept", exc_info=True)

    async def _check_secret_key(self) -> None:
        """Find out now, and not by refusing every token, whether this is the secret that the tokens were kept under."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(NETWORK_TOKENS).limit(1))).first()
        if row is None:
            return
        try:
            self._sealer.unseal(row.sealed_token, row.id)
        except SealBrokenError:
            raise SecretKeyError(
                "the registry's tokens were kept under another secret key; "
                "set SLUICE_SECRET_KEY, or restore secret.key, to the one that was in use"
            ) from None

    def _degraded(self) -> list[str]:
        return [] if self._writer.unavailable is None else [f"database: {self._writer.unavailable}"]
