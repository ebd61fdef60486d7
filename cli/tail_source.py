"""Where live events come from, by the settings: the broker, or the processes that share a queue in a file."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from cli.directory import find_directory_file
from common.events.announcement import Announcement
from common.events.engine import Seen
from common.events.event_token import EventTokenError, make_token
from common.events.exchanges import EventNames
from common.events.following import follow
from common.events.opening import read_path
from common.events.rabbitmq_viewing import watch_broker
from common.settings import Settings
from common.tls import create_client_context


class TailError(Exception):
    """Nothing can be watched. The message says why, and what to do."""


def open_seen(
    settings: Settings, announcement: Announcement, urls: Sequence[str]
) -> AbstractAsyncContextManager[AsyncIterator[Seen]]:
    """Watch the deployment; processes at ``urls`` where its queue is in a file, those of the settings without any.

    Raises :class:`TailError` and :class:`common.tls.TlsError`.
    """
    path = read_path(settings.queue)
    if path is None:
        return _open_broker(settings, announcement, urls)
    return _open_processes(settings, path, announcement, urls or list_urls(settings))


def _open_broker(
    settings: Settings, announcement: Announcement, urls: Sequence[str]
) -> AbstractAsyncContextManager[AsyncIterator[Seen]]:
    if urls:
        raise TailError("--url is for a queue in a file; with RabbitMQ every process is seen through the broker")
    if not settings.queue.startswith(("amqp://", "amqps://")):
        raise TailError("the queue's URL must begin with amqp://, amqps:// or sqlite:")
    if settings.queue.startswith("amqps:"):
        create_client_context(settings.tls)  # what is wrong with the files is said now, and not by every connection
    return watch_broker(
        settings.queue,
        EventNames(settings.queue_prefix),
        announcement,
        name=f"sluice tail {os.getpid()}",
        tls=settings.tls,
    )


def _open_processes(
    settings: Settings, path: Path, announcement: Announcement, urls: Sequence[str]
) -> AbstractAsyncContextManager[AsyncIterator[Seen]]:
    for url in urls:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise TailError(f"{url} is no URL of a process: it has to be http://HOST:PORT or https://HOST:PORT")
    if not urls:
        raise TailError("the settings name no port: say which processes to watch, with --url http://HOST:PORT")
    try:
        token = make_token(path, settings.directory_token)
    except EventTokenError as error:
        raise TailError(str(error)) from error
    return follow([url.rstrip("/") for url in urls], announcement, token, tls=create_client_context(settings.tls))


def list_urls(settings: Settings) -> list[str]:
    """Give where the roles of these settings listen: a registry only where the directory is none of a file.

    Those of one process are one to a viewer, whichever is asked.
    """
    ports = [settings.ingest_port, settings.worker_port]
    if find_directory_file(settings) is None:
        ports.append(settings.registry_port)
    return [settings.url_of(port) for port in ports if port]
