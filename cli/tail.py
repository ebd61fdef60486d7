"""``sluice tail``: what happens to each uplink, live and across all processes."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from cli.deployment import Deployment
from cli.flags import AsJson, Switch
from cli.tail_source import TailError, open_seen
from cli.tail_view import EventPrinter, JsonPrinter, TextPrinter
from cli.terminal import fail, say
from common.events.announcement import Announcement, EventFilter
from common.events.engine import Missed, Sampled, Seen
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
    """Id of the authorization key that they came with."""

    network: Annotated[tuple[str, ...], Several] = ()
    """Network of their key."""

    reason: Annotated[
        tuple[Reason, ...],
        Parameter(negative=(), name_transform=str.lower, show_choices=False, show_default=False),
    ] = ()
    """Why they are set aside, tried again, put back or dead; shows nothing else."""

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
    announcement = Announcement(
        f"tail-{os.getpid()}-{uuid.uuid4().hex[:8]}", (which or UplinkFilter()).build(), details
    )
    printer = JsonPrinter() if as_json else TextPrinter()
    try:
        await _watch(settings, announcement, url, printer)
    except (TailError, TlsError) as error:
        return fail(error)
    except BrokenPipeError:  # whoever read it has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


async def _watch(settings: Settings, announcement: Announcement, urls: Sequence[str], printer: EventPrinter) -> None:
    """Show what is seen until a signal ends it."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with open_seen(settings, announcement, urls) as seen:
        showing = asyncio.create_task(_show(seen, printer))
        stopping = asyncio.create_task(stopped.wait())
        done, _ = await asyncio.wait({showing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (showing, stopping):
            task.cancel()
        await asyncio.wait({showing, stopping})
        if showing in done:
            showing.result()


async def _show(seen: AsyncIterator[Seen], printer: EventPrinter) -> None:
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
