"""Devices asked for with the credentials of the directory, by the worker's own resolver, outside of a worker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cli.snapshot import DirectorySnapshot
from common.directory.model import Directory
from common.settings import Settings
from workers.downstream import Downstream
from workers.governor import Governor
from workers.http_client import create_client
from workers.mapping import MappedUplink
from workers.resolver import ResolvedUplink, Unresolved
from workers.service import create_resolver


@asynccontextmanager
async def open_downstream(settings: Settings, directory: Directory) -> AsyncIterator[Downstream]:
    """Open the way to the downstream of a directory; nothing is tried a second time. Raises TlsError."""
    source = DirectorySnapshot(directory)
    async with create_client(settings) as client:
        downstream = Downstream(
            client,
            source,
            Governor(source, crowd=settings.uplinks_in_hand),
            in_flight=settings.posts_in_flight,
            blip_seconds=0,
        )
        try:
            yield downstream
        finally:
            await downstream.breaker.stop()


async def resolve_for_real(
    settings: Settings, directory: Directory, mapped: Sequence[MappedUplink]
) -> tuple[list[ResolvedUplink], list[Unresolved]]:
    """Ask for the devices of these uplinks, each serial once. Raises TlsError."""
    async with open_downstream(settings, directory) as downstream:
        return await create_resolver(settings, downstream).resolve_all(mapped)
