"""``sluice audit``: whether every uplink that was accepted is accounted for."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.auditor import Auditor
from cli.balance import Account, Finding, Span, Verdict, judge, open_account
from cli.counters import UnknownError, load_snapshot, save_snapshot
from cli.deployment import Deployment
from cli.flags import AsJson
from cli.queue import open_settings_queue
from cli.terminal import print_line
from common.logs import configure_logs
from common.queue.protocol import Queue, QueueUnavailableError, QueueUrlError
from common.settings import Settings
from common.tls import TlsError, create_client_context
from ingest.acceptance import FRAME_UPLINKS

EXIT_CODES = {Verdict.BALANCED: 0, Verdict.OUT_OF_BALANCE: 1, Verdict.CANNOT_TELL: 2}

COLORS = {Verdict.BALANCED: "green", Verdict.OUT_OF_BALANCE: "red", Verdict.CANNOT_TELL: "yellow"}

UNREACHABLE = (UnknownError, QueueUnavailableError, QueueUrlError, TlsError)
"""What keeps an audit from being made; each says what to do."""


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What was asked for on the command line."""

    settings: Settings
    metrics: tuple[str, ...]
    since: Path | None
    save: Path | None


async def audit(
    *,
    metrics: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    save: Annotated[Path | None, Parameter(show_default=False)] = None,
    since: Annotated[Path | None, Parameter(show_default=False)] = None,
    as_json: AsJson = False,
    where: Deployment | None = None,
) -> int:
    """Say whether every uplink that was accepted was delivered, set aside, is dead, or waits in the queue.

    A queue in a file keeps its own books, exactly. On RabbitMQ the processes count: name the /metrics of each. The exit
    code is 0 when the books balance, 1 when something is lost or doubled, and 2 when that cannot be told.

    Parameters
    ----------
    metrics
        URL of the /metrics of one process; give one for every ingest and every worker (RabbitMQ).
    save
        Write the present figures to this file, for a later audit to begin with, and do nothing else (RabbitMQ).
    since
        Begin with the figures in this file, not with the start of the processes (RabbitMQ).
    as_json
        Print one line of JSON.
    where
        The deployment.

    """
    configure_logs(level="CRITICAL", json=False)  # what is wrong with the queue is said once, at the end
    request = AuditRequest((where or Deployment()).read_settings(), metrics, since, save)
    try:
        finding = await _examine(request)
    except UNREACHABLE as error:
        finding = Finding(Verdict.CANNOT_TELL, str(error))
    if finding is None:
        return 0
    if as_json:
        print_line(describe_finding(finding))
    else:
        _print_finding(finding)
    return EXIT_CODES[finding.verdict]


def describe_finding(finding: Finding) -> dict[str, Any]:
    """Give the JSON object of a finding; the account is None where there is none."""
    return {
        "verdict": finding.verdict,
        "why": finding.why,
        "account": None if finding.account is None else asdict(finding.account),
    }


def tabulate_account(account: Account) -> Table:
    """Show what came in above what became of it."""
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right")
    for name, uplinks in (
        ("in the queue before", account.held_before),
        ("accepted", account.accepted),
        ("replayed", account.replayed),
        ("came in", account.came_in),
        ("delivered", account.delivered),
        ("set aside", account.set_aside),
        ("dead", account.dead),
        ("in the queue", account.in_queue),
        ("found", account.found),
        ("perhaps repeated", account.repeated),
    ):
        is_sum = name in {"came in", "found"}
        shown = str(uplinks) if isinstance(uplinks, Span) else f"{uplinks:,}"
        table.add_row(name, shown, style="bold" if is_sum else None, end_section=is_sum)
    return table


def _print_finding(finding: Finding) -> None:
    console = Console()
    if finding.account is not None:
        console.print(tabulate_account(finding.account))
    console.print(
        f"[{COLORS[finding.verdict]}]{finding.verdict.replace('_', ' ')}[/]: {escape(finding.why)}", soft_wrap=True
    )


async def _examine(request: AuditRequest) -> Finding | None:
    """Make the audit, or save what a later one begins with; None then."""
    async with open_settings_queue(request.settings, "audit", existing_only=True) as queue:
        if (books := await queue.books()) is None:
            return await _examine_processes(request, queue)
        if request.metrics or request.save or request.since:
            raise UnknownError("this queue keeps its own books, all of them: leave --metrics, --save and --since out")
        return judge(open_account(books))


async def _examine_processes(request: AuditRequest, queue: Queue) -> Finding | None:
    if not request.metrics:
        raise UnknownError("RabbitMQ keeps no books: name the /metrics of every ingest and every worker with --metrics")
    if request.save and request.since:
        raise UnknownError("--save begins an audit and --since ends one: give one of them")
    before = None if request.since is None else load_snapshot(request.since)
    context = await asyncio.to_thread(create_client_context, request.settings.tls)
    async with httpx.AsyncClient(verify=context) as client:
        auditor = Auditor(queue, client, request.metrics, most_uplinks=max(FRAME_UPLINKS, request.settings.items_limit))
        if request.save is None:
            return await auditor.audit(before)
        save_snapshot(request.save, await auditor.take_snapshot())
        return None
