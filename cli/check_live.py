"""Whether everything that a deployment needs can be reached, with the credentials that it has."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from cli.diagnostics import Diagnostic, Severity
from cli.explanation import GROUP
from cli.queue import open_settings_queue
from cli.resolving import open_downstream
from common.directory.model import AuthorizationKey, Directory, Network
from common.envelope import Envelope, Uplink
from common.queue.protocol import QueueMissingError, QueueUnavailableError, QueueUrlError
from common.reason import Reason
from common.settings import Settings
from common.tls import TlsError
from workers.answers import DownstreamError
from workers.downstream import Downstream
from workers.mapping import MappedUplink
from workers.outcome import DeadLettered
from workers.resolver import ResolvedUplink, Unresolved
from workers.service import create_resolver


async def check_queue(settings: Settings) -> Diagnostic:
    """Ask the queue how much is in it; it is not made where it is missing."""
    try:
        async with open_settings_queue(settings, "check", existing_only=True) as queue:
            depths = await queue.depths()
    except QueueMissingError as error:
        return Diagnostic(Severity.WARNING, "queue", f"{error}; the first role that starts makes it")
    except (QueueUnavailableError, QueueUrlError, TlsError) as error:
        return Diagnostic(Severity.MISTAKE, "queue", str(error))
    return Diagnostic(
        Severity.FINE, "queue", f"is there: {depths.work:,} messages wait, {depths.retry:,} for a later attempt"
    )


async def check_downstream(settings: Settings, directory: Directory) -> AsyncIterator[Diagnostic]:
    """Ask the downstream whether it is there, and once for each key whether it takes its credentials.

    The serial that is asked for is hardly anybody's: that it is unknown is what only the right credentials are told.
    """
    url = directory.downstream.url
    try:
        async with open_downstream(settings, directory) as downstream:
            await downstream.probe()
            yield Diagnostic(Severity.FINE, "downstream", f"{url} answers")
            async for diagnostic in _check_keys(settings, directory, downstream):
                yield diagnostic
    except DownstreamError as error:
        yield Diagnostic(Severity.MISTAKE, "downstream", f"{url} does not answer: {error}")
    except TlsError as error:
        yield Diagnostic(Severity.MISTAKE, "downstream", str(error))


async def _check_keys(settings: Settings, directory: Directory, downstream: Downstream) -> AsyncIterator[Diagnostic]:
    resolver = create_resolver(settings, downstream)
    for key in directory.keys:
        network = directory.network(key.network)
        if network is None or not key.may_send(datetime.now(UTC)):
            continue
        outcome = await resolver.resolve(_build_question(key, network))
        yield _judge(key, outcome)


def _build_question(key: AuthorizationKey, network: Network) -> MappedUplink:
    envelope = Envelope(GROUP, key.id, datetime.now(UTC), {}, [(0, None)])
    return MappedUplink(
        Uplink(envelope, 0, None), key, network, network.serial.build_example(), (), carries_payload=False
    )


def _judge(key: AuthorizationKey, outcome: ResolvedUplink | Unresolved) -> Diagnostic:
    place = f"[authorizations.{key.id}]"
    match outcome:
        case ResolvedUplink() | DeadLettered(reason=Reason.SERIAL_UNKNOWN):
            return Diagnostic(Severity.FINE, "resolver", "its credentials are taken", place)
        case DeadLettered(detail=detail):
            return Diagnostic(Severity.MISTAKE, "resolver", detail, place)
        case unresolved if unresolved.reason is Reason.AUTHORIZATION_REFUSED:
            message = f"{unresolved.detail}; check its token, and the token of [networks.{key.network}]"
            return Diagnostic(Severity.MISTAKE, "resolver", message, place)
        case unresolved:
            return Diagnostic(Severity.MISTAKE, "resolver", f"could not be asked: {unresolved.detail}", place)
