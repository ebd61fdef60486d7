"""The registry as a role: its parts, put together."""

import asyncio
from datetime import timedelta
from typing import Self

from sqlalchemy import select
from starlette.types import ASGIApp

from common.events.engine import NO_EVENTS, Events
from common.health import Health, create_health_routes
from common.settings import Settings
from registry.app import create_app
from registry.bulk import Bulk
from registry.bulk_routes import BulkRoutes
from registry.caller import Caller
from registry.connector_routes import ConnectorRoutes
from registry.connectors import Connectors
from registry.data_reader import DataReader
from registry.data_remover import DataRemover
from registry.data_routes import DataRoutes
from registry.data_writer import DataWriter
from registry.database_url import create_database
from registry.device_params import DeviceParams
from registry.device_routes import DeviceRoutes
from registry.devices import Devices
from registry.directory import DirectoryDocuments
from registry.directory_routes import DirectoryRoutes
from registry.file_routes import FileRoutes
from registry.files import Files
from registry.first_start import FirstStart, create_first_entries
from registry.intake import Intake
from registry.key_routes import KeyRoutes
from registry.keys import Keys
from registry.network_routes import NetworkRoutes
from registry.networks import Networks
from registry.operations import Operation
from registry.parser_presence import ParserPresence
from registry.parser_routes import ParserRoutes
from registry.parsers.check import ParserCheck
from registry.parsers.decoder import ParserDecoder
from registry.parsers.model import ParserLimits
from registry.parsers.pool import ParserPool
from registry.profile_device_routes import ProfileDeviceRoutes
from registry.profile_routes import ProfileRoutes
from registry.profiles import Profiles
from registry.schema import NETWORK_TOKENS
from registry.sealing import SealBrokenError, Sealer
from registry.secret_key import SecretKeyError, load_secret_key
from registry.sightings import Sightings
from registry.upkeep import Upkeep


class Registry:
    """``sluice registry``, and the same in one process with the other roles.

    It is open inside ``async with``, which has to outlast :meth:`run` and the HTTP server. The data folder is made
    where it is missing. Making one raises :class:`registry.database.DatabaseUnusableError`,
    :class:`registry.secret_key.SecretKeyError` and OSError. ``events`` is where the console lines of parsers go.

    The parts may be used in place of HTTP: :attr:`profiles`, :attr:`networks`, :attr:`connectors`, :attr:`devices`,
    :attr:`params`, :attr:`keys`, which raise :class:`registry.refusal.RefusedError`, and :attr:`directory`.
    :attr:`intake` is how data comes in, and where payload parsers run.
    """

    def __init__(self, settings: Settings, events: Events = NO_EVENTS) -> None:
        settings.data.mkdir(parents=True, exist_ok=True)
        self._database = create_database(settings.database, settings.data)
        secret_key = load_secret_key(
            settings.data, settings.secret_key, database_exists=self._database.exists, shared=self._database.shared
        )
        self._sealer = Sealer(secret_key)
        self._writer = DataWriter(self._database)
        self._sightings = Sightings(self._database)
        self._remover = DataRemover(self._database)
        retention = timedelta(days=settings.data_retention_days) or None
        self._upkeep = Upkeep(self._writer, self._sightings, self._remover, retention)
        self.profiles = Profiles(self._database, self._sealer)
        limits = ParserLimits(settings.parser_processes, settings.parser_seconds, settings.parser_memory)
        self._parsers = ParserPool(limits)
        presence, check = ParserPresence(self._database), ParserCheck(self._parsers)
        self.networks = Networks(self._database, self._sealer, presence, check)
        self.connectors = Connectors(self._database, presence, check)
        self.devices = Devices(self._database, self._sealer, self._sightings, check)
        self.params = DeviceParams(self._database)
        self.keys = Keys(self._database, self._sealer)
        decode = ParserDecoder(self._database, self._parsers, events)
        self.intake = Intake(self._writer, self._sightings, presence, decode)
        self.directory = DirectoryDocuments(self._database, self.networks, self.keys)
        self._profile_token = settings.profile_token
        self.first_start: FirstStart | None = None
        """What was created because the registry was empty; None in a later life."""
        self.port = settings.registry_port
        self.health = Health("registry", self._degraded)
        self.operations = self._list_operations()
        """What its API offers, for whoever describes it."""
        routes = [
            *DirectoryRoutes(self.directory, settings.directory_token).routes,
            *create_health_routes(self.health),
        ]
        self.app: ASGIApp = create_app(self.operations, routes)

    async def __aenter__(self) -> Self:
        """Open the database, bring it up to date, and fill it when it is empty.

        Raises :class:`registry.database.DatabaseUnusableError` and :class:`registry.secret_key.SecretKeyError`.
        """
        try:
            await self._database.open()
            await self._check_secret_key()
            self.first_start = await create_first_entries(self._database, self._sealer, self._profile_token)
            self._parsers.open()
        except BaseException:
            await self._database.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Store what still waits, and close the database."""
        await self._parsers.close()
        await self._writer.finish()
        await self._upkeep.write_sightings()
        await self._database.close()

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until ``stopping`` is set, and keep house meanwhile."""
        self.health.started = True
        await self._upkeep.run(stopping)

    def _list_operations(self) -> list[Operation]:
        """Give everything that the API offers; what is asked most stands first, since paths are tried in order."""
        caller = Caller(self.profiles)
        reader = DataReader(self._database)
        return [
            *DataRoutes(caller, self.devices, self.intake, reader, self._remover).operations,
            *BulkRoutes(Bulk(self.devices, self.intake)).operations,
            *DeviceRoutes(self.networks, self.devices, self.params, self.keys).operations,
            *NetworkRoutes(caller, self.networks).operations,
            *ConnectorRoutes(caller, self.connectors).operations,
            *ProfileDeviceRoutes(caller, self.devices, self.params).operations,
            *KeyRoutes(caller, self.keys).operations,
            *ParserRoutes(caller, self._parsers).operations,
            *FileRoutes(caller, Files(self._database)).operations,
            *ProfileRoutes(caller, self.profiles).operations,
        ]

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
        return [] if self._database.unavailable is None else [f"database: {self._database.unavailable}"]
