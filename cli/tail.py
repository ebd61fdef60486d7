"""``sluice tail``: what happens to each uplink, live and across all processes."""

import asyncio
import os
import signal
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, cast

from cyclopts import Group, Parameter

from cli.deployment import Deployment
from cli.directory import read_directory
from cli.flags import AsJson, Switch
from cli.tail_source import TailError, open_seen
from cli.tail_view import EventPrinter, JsonPrinter, TextPrinter
from cli.terminal import fail, say
from common.directory.model import Directory
from common.directory.naming import NotIdentifiedError, identify_key, identify_network
from common.directory.problems import DirectoryError
from common.events.announcement import Announcement, EventFilter
from common.events.engine import Missed, Sampled
from common.events.event import Event
from common.logs import configure_logs
from common.reason import Reason
from common.settings import Settings
from common.tls import TlsError

WHICH = Group("Which uplinks", sort_key=1)

Several = Parameter(negative=(), show_default=False)


@Parameter(name="*", group=WHICH)
@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkFilter:
    """What an event has to fit: everything that is given; of what is given more than once, one."""

    serial: Annotated[tuple[str, ...], Several] = ()
    """Serial of the device, as it sends it or as its network writes it. May be repeated, as may the next three."""

    key: Annotated[tuple[str, ...], Several] = ()
    """Name or id of the authorization key that they came with."""

    network: Annotated[tuple[str, ...], Several] = ()
    """Name or id of the network of their key."""

    reason: Annotated[
        tuple[Reason, ...],
        Parameter(negative=(), name_transform=str.lower, show_choices=False, show_default=False),
    ] = ()
    """Why they are set aside, tried again, put back or dead; shows nothing else."""

    def identify(self, directory: Directory) -> "UplinkFilter":
        """Give the same with ids in place of names. Raises :class:`common.directory.naming.NotIdentifiedError`."""
        return replace(
            self,
            key=tuple(identify_key(directory, called).id for called in self.key),
            network=tuple(identify_network(directory, called).id for called in self.network),
        )

    def build(self) -> EventFilter:
        """Give what is announced to the processes."""
        return EventFilter(*map(frozenset, (self.serial, self.key, self.network, self.reason)))


async def tail(
    *,
    which: UplinkFilter | None = None,
    details: Switch = False,
    as_json: AsJson = False,
    url: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    where: Deployment | None = None,
) -> int:
    """Show what happens to each uplink as it happens, in all processes.

    An uplink is accepted, mapped, resolved and posted, or tried again and at last dead, with why.

    Takes nothing and changes nothing. What is too fast to be shown is left out, and standard error says how much; so it
    does while the broker or a process is away. Times are in UTC. Ctrl-C ends it, with exit code 0.

    Parameters
    ----------
    which
        Which uplinks.
    details
        Also show what the uplinks hold: the item as it came, and its records.
    as_json
        Print each event as one line of JSON.
    url
        A process to watch, http://HOST:PORT, where the queue is in a file; may be repeated. Without it the ports of the
        settings are watched, on this machine. With RabbitMQ everything comes through the broker.
    where
        The deployment.

    """
    configure_logs(level="CRITICAL", json=False)
    settings = (where or Deployment()).read_settings()
    printer = JsonPrinter() if as_json else TextPrinter()
    try:
        wanted = await _identify(settings, which or UplinkFilter())
        announcement = Announcement(f"tail-{os.getpid()}-{uuid.uuid4().hex[:8]}", wanted.build(), details)
        await _watch(settings, announcement, url, printer)
    except (NotIdentifiedError, TailError, TlsError) as error:
        return fail(error)
    return 0


async def _identify(settings: Settings, which: UplinkFilter) -> UplinkFilter:
    """Give the filter with ids in place of names; as it is, where no directory can be read that has names.

    Raises :class:`common.directory.naming.NotIdentifiedError` and :class:`common.tls.TlsError`.
    """
    if not (which.key or which.network):
        return which
    try:
        directory = await read_directory(settings)
    except DirectoryError as error:
        say(f"--key and --network are taken for ids, for want of a directory that has names: {error}")
        return which
    return which.identify(directory)


async def _watch(settings: Settings, announcement: Announcement, urls: Sequence[str], printer: EventPrinter) -> None:
    """Show what is seen until a signal ends it.

    All in the command's own task: Rich raises SystemExit where the pipe is closed, and asyncio reports that of another.
    """
    watching = cast("asyncio.Task[int]", asyncio.current_task())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
    with suppress(asyncio.CancelledError):
        async with open_seen(settings, announcement, urls) as seen:
            async for each in seen:
                if isinstance(each, Event):
                    printer.show(each)
                else:
                    say(_explain(each))


def _explain(told: Missed | Sampled) -> str:
    match told:
        case Sampled(one_in=one_in):
            return f"1 in {one_in:,} uplinks is shown from here on" if one_in > 1 else "every uplink is shown again"
        case Missed(events=None, why=why):
            return f"some events may not be shown: {why}"
        case Missed(events=events, why=why):
            return f"{events:,} event{'' if events == 1 else 's'} not shown: {why}"
