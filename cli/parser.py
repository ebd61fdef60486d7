"""``sluice parser``: try a payload parser on a sample, and check what can be known of it without running it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.deployment import SettingsFlags
from cli.flags import AsJson
from cli.terminal import fail, print_document
from common.logs import configure_logs
from common.settings import Settings
from registry.ids import create_id
from registry.parsers.model import SOURCE_BYTES, Decoded, Parser, ParserKind, ParserLimits, ParserOutcome
from registry.parsers.pool import ParserPool
from registry.parsers.run_queue import ParsersUnavailableError
from registry.parsers.source import ABSENT, find_globals
from registry.parsers.trial import SAMPLE_ID, find_problem

SHOWN_FIELDS = ("variable", "value", "unit", "group", "time")

app = App(name="parser", help="Payload parsers: JavaScript that makes records of what devices send.")


def _split_param(_: Any, texts: Sequence[str] | None) -> None:
    for text in texts or ():
        if "=" not in text:
            raise ValueError(f"{text!r} must be KEY=VALUE.")


@app.command(name="test")
async def try_parser(
    file: Path,
    *,
    payload: str | None = None,
    port: int | None = None,
    text: str | None = None,
    records: Path | None = None,
    param: Annotated[list[str] | None, Parameter(validator=_split_param)] = None,
    kind: ParserKind = ParserKind.DEVICE,
    as_json: AsJson = False,
    settings: SettingsFlags = None,
) -> int:
    """Run a parser on a sample, as the registry would, and show the records that it makes.

    The exit code is 0 only if it makes records that the registry would store.

    Parameters
    ----------
    file
        The parser's source.
    payload
        A record of this name with this value, mostly hexadecimal.
    port
        A record of this name with this value.
    text
        What is posted as text; it is the payload as a whole.
    records
        A file with the records to be posted, or with any other JSON.
    param
        A configuration param of the device, as KEY=VALUE; may be given again.
    kind
        Whose parser it is: network, connector or device. A network's may set serial.
    as_json
        Print the records as JSON, and nothing else.
    settings
        What a parser may take, as the registry has it.

    """
    try:
        source = read_source(file)
        sample = read_sample(payload, port, text, records)
    except (OSError, ValueError) as error:
        return fail(error)
    parser = Parser(kind, SAMPLE_ID, source)
    try:
        async with _open_pool(settings) as pool:
            outcome = await pool.run([parser], sample, raw_payload=sample, device=_describe_device(param or ()))
    except ParsersUnavailableError as error:
        return fail(error)
    problem = find_problem(outcome)
    if not as_json:
        _print_tables(outcome)
    elif isinstance(outcome, Decoded):
        print_document(outcome.records)
    return 0 if problem is None else fail(problem)


@app.command(name="check")
async def check_parser(file: Path, *, settings: SettingsFlags = None) -> int:
    """Say the size of a parser, whether it is JavaScript, and which globals it names.

    The exit code is 0 only if the registry would run it.

    Parameters
    ----------
    file
        The parser's source.
    settings
        What a parser may take, as the registry has it.

    """
    try:
        source = read_source(file)
        async with _open_pool(settings) as pool:
            outcome = await pool.compile(Parser(ParserKind.DEVICE, SAMPLE_ID, source))
    except (OSError, ValueError, ParsersUnavailableError) as error:
        return fail(error)
    Console().print(tabulate_check(source, outcome))
    return 0 if isinstance(outcome, Decoded) else 1


def read_source(file: Path) -> str:
    """Give a parser's source. Raises OSError and ValueError."""
    return file.read_text("utf-8")


def read_sample(
    payload: str | None = None, port: int | None = None, text: str | None = None, records: Path | None = None
) -> Any:
    """Give what is posted: records of a payload and a port as a worker makes them, unless it is text or a file.

    Raises OSError and ValueError.
    """
    if text is not None:
        return text
    if records is not None:
        return orjson.loads(records.read_bytes())
    shared = {"group": create_id(), "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
    values = {"payload": payload, "port": port}
    return [{"variable": name, "value": value, **shared} for name, value in values.items() if value is not None]


def tabulate_records(outcome: Decoded) -> Table:
    """Show one record a row; what it holds beside the usual fields is in the last column."""
    table = Table(title=f"records: {len(outcome.records):,}")
    for name in (*SHOWN_FIELDS, "more"):
        table.add_column(name, overflow="fold")
    for record in outcome.records:
        more = {name: value for name, value in record.items() if name not in SHOWN_FIELDS}
        shown = [_write_value(record.get(name)) for name in SHOWN_FIELDS]
        table.add_row(*map(Text, shown), Text(orjson.dumps(more).decode() if more else ""))
    return table


def tabulate_check(source: str, outcome: ParserOutcome) -> Table:
    """Show what is known of a parser without running it."""
    named = find_globals(source)
    table = Table(show_header=False)
    table.add_row("size", f"{len(source.encode()):,} bytes of {SOURCE_BYTES:,}")
    table.add_row("syntax", Text("JavaScript" if isinstance(outcome, Decoded) else str(outcome)))
    table.add_row("globals", Text(", ".join(sorted(named - ABSENT)) or "none"))
    table.add_row("missing here", Text(", ".join(sorted(named & ABSENT)) or "none"))
    return table


def _open_pool(settings: Settings | None) -> ParserPool:
    settings = settings or Settings()
    configure_logs(level="CRITICAL", json=False)  # what goes wrong is said once, at the end
    return ParserPool(ParserLimits(1, settings.parser_seconds, settings.parser_memory))


def _describe_device(params: Sequence[str]) -> dict[str, Any]:
    pairs = [param.partition("=") for param in params]
    return {
        "id": SAMPLE_ID,
        "tags": [],
        "params": [{"key": key, "value": value, "sent": False} for key, _, value in pairs],
    }


def _print_tables(outcome: ParserOutcome) -> None:
    console = Console(highlight=False)
    for line in outcome.console:
        console.print(Text(f"{line.level:>5}  {line.text}"), style="dim")
    if isinstance(outcome, Decoded):
        console.print(tabulate_records(outcome))
        if outcome.serial is not None:
            console.print(Text(f"serial: {outcome.serial}"))


def _write_value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()
