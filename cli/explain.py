"""``sluice explain``: what would become of a request, step by step, without sending it."""

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter
from rich.console import Console

from cli.deployment import Deployment
from cli.directory import read_directory
from cli.explain_guess import fits_to_document, show_fits
from cli.explain_rules import TRIED, NotExplainedError, Rules
from cli.explain_view import explanation_to_document, show_explanation
from cli.explanation import (
    Explanation,
    SampleRequest,
    explain_envelope,
    explain_request,
    group_unasked,
)
from cli.flags import AsJson, Switch
from cli.queue import open_settings_queue
from cli.resolving import resolve_for_real
from cli.snapshot import DirectorySnapshot
from cli.terminal import fail, print_document
from common.dead_letter import DeadLetter
from common.directory.model import Directory
from common.directory.naming import NotIdentifiedError, UnknownNameError, identify_key
from common.directory.problems import DirectoryError
from common.fields.guessing import find_common_names, rank_presets
from common.logs import configure_logs
from common.queue.protocol import QueueUnavailableError, QueueUrlError
from common.settings import Settings
from common.tls import TlsError
from ingest.refusal import RefusedError
from ingest.request import parse_document, parse_query
from workers.grouping import group_into_posts

STDIN = Path("-")

REQUEST = Group("Request", sort_key=2)

UNDOABLE = (NotExplainedError, NotIdentifiedError, DirectoryError, QueueUnavailableError, QueueUrlError, TlsError)
"""What keeps anything from being explained; each says what to do."""


@Parameter(name="*", group=REQUEST)
@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFlags:
    """What would come with the body."""

    authorization: Annotated[str | None, Parameter(env_var="SLUICE_AUTHORIZATION", show_default=False)] = None
    """The header Authorization, to see whose it is; with --key or --map it does not matter."""

    query: Annotated[str, Parameter(show_default=False)] = ""
    """The query string, such as "event=up"."""

    content_type: str = "application/json"
    """The header Content-Type."""

    @property
    def names_sender(self) -> bool:
        """Whether the request says whose it is, in the header or in the query."""
        return self.authorization is not None or "authorization=" in self.query


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation, and the URL of the downstream that it is about."""

    explanation: Explanation
    url: str


async def explain(
    body: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    letter: Annotated[str | None, Parameter(show_default=False)] = None,
    guess: Switch = False,
    resolve: Switch = False,
    as_json: AsJson = False,
    rules: Rules | None = None,
    request: RequestFlags | None = None,
    where: Deployment | None = None,
) -> int:
    """Show what would become of a request, step by step: nothing is sent, and no running system is needed.

    Where serial, payload and port are found, or what is there instead; the serial as its network writes it; the
    records; the posts. The exit code is 0 when every uplink would be delivered or set aside, else 1.

    Parameters
    ----------
    body
        File with the body of the request as a gateway sends it; "-" is standard input.
    letter
        Id of an uplink that is a dead letter, in place of a body; its own key applies unless --key names another.
    guess
        Say which preset fits the body, and why.
    resolve
        Ask the downstream for the devices, for real, with the credentials of the key.
    as_json
        Print everything as JSON.
    rules
        Whose rules apply.
    request
        What comes with the body.
    where
        The deployment.

    """
    configure_logs(level="CRITICAL", json=False)
    command = Command(rules or Rules(), request or RequestFlags(), (where or Deployment()).read_settings())
    try:
        if guess:
            return _guess(_read(body), command.request.query, as_json=as_json)
        if letter is not None:
            explained = await command.explain_letter(letter, resolve=resolve)
        else:
            explained = await command.explain_body(_read(body), resolve=resolve)
    except UNDOABLE as error:
        return fail(error)
    _print(explained, as_json=as_json)
    return 0 if explained.explanation.is_fine else 1


@dataclass(frozen=True, slots=True)
class Command:
    """What was asked for on the command line."""

    rules: Rules
    request: RequestFlags
    settings: Settings

    async def explain_body(self, body: bytes, *, resolve: bool) -> Explained:
        """Explain a request with this body. Raises what is in :data:`UNDOABLE`."""
        directory, authorization = await self._choose_sender(resolve=resolve)
        request = SampleRequest(
            body=body,
            authorization=authorization,
            query_string=self.request.query,
            content_type=self.request.content_type,
            arrived_at=datetime.now(UTC),
            body_limit=self.settings.body_limit,
            items_limit=self.settings.items_limit,
        )
        explanation = await explain_request(request, DirectorySnapshot(directory))
        return await self._finish(explanation, directory, resolve=resolve)

    async def explain_letter(self, uplink_id: str, *, resolve: bool) -> Explained:
        """Explain the uplink of a dead letter. Raises what is in :data:`UNDOABLE`."""
        letter = await self._find_letter(uplink_id)
        if letter.envelope is None:
            raise NotExplainedError(f"the letter {uplink_id} holds no uplink that can be read: {letter.detail}")
        directory, called = await self._choose_letter_rules(self.rules.key or letter.envelope.key_id, resolve=resolve)
        explanation = explain_envelope(letter.envelope, identify_key(directory, called), directory)
        return await self._finish(explanation, directory, resolve=resolve)

    async def _choose_letter_rules(self, called: str, *, resolve: bool) -> tuple[Directory, str]:
        """Give the directory with what is to be tried in it, and the key; a map is tried where there is neither."""
        may_do_without = self.rules.field_map is not None and self.rules.key is None and not resolve
        try:
            return self.rules.apply(await read_directory(self.settings), called), called
        except (DirectoryError, UnknownNameError):
            if not may_do_without:
                raise
        return self.rules.build_directory(self.settings.downstream), TRIED

    async def _choose_sender(self, *, resolve: bool) -> tuple[Directory, str | None]:
        """Give the directory with what is to be tried in it, and the header Authorization that the request has."""
        if self.rules.key is not None:
            directory = self.rules.apply(await read_directory(self.settings), self.rules.key)
            return directory, identify_key(directory, self.rules.key).token.get_secret_value()
        if self.rules.field_map is None and self.request.names_sender:
            return await read_directory(self.settings), self.request.authorization
        if resolve:
            raise NotExplainedError("--resolve asks with the credentials of a key: name one with --key")
        return self.rules.build_directory(self.settings.downstream), TRIED

    async def _find_letter(self, uplink_id: str) -> DeadLetter:
        async with open_settings_queue(self.settings, "explain", existing_only=True) as queue:
            found = [letter async for letter in queue.dead_letters() if letter.uplink_id == uplink_id]
        if found:
            return found[0]
        raise NotExplainedError(f"there is no dead letter {uplink_id!r}; sluice dead list shows which there are")

    async def _finish(self, explanation: Explanation, directory: Directory, *, resolve: bool) -> Explained:
        """Add what comes after the mapping: with ``resolve`` the devices that there are, else as if there were all."""
        url, mapped = directory.downstream.url, explanation.mapped
        if not resolve:
            posts, oversized = group_unasked(mapped)
            return Explained(replace(explanation, posts=posts, oversized=oversized), url)
        resolved, unresolved = await resolve_for_real(self.settings, directory, mapped)
        posts, oversized = group_into_posts(resolved)
        return Explained(replace(explanation, unresolved=unresolved, posts=posts, oversized=oversized), url)


def _read(body: Path | None) -> bytes:
    if body is None:
        raise NotExplainedError("give a file with the body of the request, - for standard input, or --letter")
    try:
        return sys.stdin.buffer.read() if body == STDIN else body.read_bytes()
    except OSError as error:
        raise NotExplainedError(f"{body} cannot be read: {error.strerror}") from error


def _print(explained: Explained, *, as_json: bool) -> None:
    explanation, url = explained.explanation, explained.url
    if as_json:
        print_document(explanation_to_document(explanation, url))
    else:
        Console(highlight=False).print(show_explanation(explanation, url))


def _guess(body: bytes, query_string: str, *, as_json: bool) -> int:
    """Print the presets that fit. Raises :class:`NotExplainedError`."""
    try:
        query = parse_query(query_string.encode())
        document = parse_document(body)
    except RefusedError as refusal:
        raise NotExplainedError(refusal.message) from refusal
    fits, common_names = rank_presets(document, query, datetime.now(UTC)), find_common_names(document, query)
    if as_json:
        print_document(fits_to_document(fits))
    else:
        Console(highlight=False).print(show_fits(fits, common_names))
    return 0 if fits or common_names else 1
