"""The directory that the settings name: a file, or a registry elsewhere."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common.directory.fetching import DirectoryClient
from common.directory.file import DirectoryError, FileDirectory
from common.directory.model import Directory
from common.directory.remote import RemoteDirectory
from common.directory.source import DirectorySource
from common.settings import Settings
from common.tls import create_client_context


def find_directory_file(settings: Settings) -> str | None:
    """Give the file that is the directory where there is no registry: there is the one, and the other is not named."""
    if settings.directory_url is not None or "registry_url" in settings.model_fields_set:
        return None
    return settings.directory if settings.directory_file.exists() else None


@asynccontextmanager
async def open_directory(settings: Settings) -> AsyncIterator[FileDirectory | RemoteDirectory]:
    """Read the file, or be ready to ask the registry; what is asked is not known before :meth:`watch` runs.

    Raises DirectoryError and TlsError.
    """
    if settings.directory_url is None:
        yield open_file_directory(settings)
    else:
        async with open_remote_directory(settings, settings.directory_url) as directory:
            yield directory


async def read_directory(settings: Settings) -> Directory:
    """Read the directory as it is today, once. Raises DirectoryError and TlsError."""
    async with open_directory(settings) as source:
        return await _read_once(source)


async def _read_once(source: DirectorySource) -> Directory:
    await source.refresh()
    if not source.is_read:
        raise DirectoryError(source.degraded or "the directory could not be read")
    return source.current


def open_file_directory(settings: Settings) -> FileDirectory:
    """Read the directory's file; raises DirectoryError."""
    return FileDirectory(settings.directory_file, os.environ, downstream_url=settings.downstream)


def open_remote_directory(settings: Settings, url: str) -> RemoteDirectory:
    """Give the directory of the registry at this URL, which is posted to as well unless the settings say otherwise.

    Raises DirectoryError and TlsError.
    """
    if settings.directory_token is None:
        raise DirectoryError(
            f"SLUICE_DIRECTORY is {url}, which asks for a token: "
            "set SLUICE_DIRECTORY_TOKEN here and at that registry, to the same value"
        )
    client = DirectoryClient(url, settings.directory_token, tls=create_client_context(settings.tls))
    return RemoteDirectory(client, url=url, downstream_url=settings.downstream or url)
