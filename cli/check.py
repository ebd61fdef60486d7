"""``sluice check``: the whole configuration, before it is relied on."""

import os
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from cli.check_directory import check_file, count_entries
from cli.check_live import check_downstream, check_queue
from cli.check_settings import check_settings
from cli.deployment import Deployment
from cli.diagnostics import Diagnostic, Severity, count_mistakes, diagnostics_to_document, tabulate_diagnostics
from cli.directory import read_directory
from cli.flags import AsJson, Switch
from cli.terminal import print_document
from common.directory.file import PLACE_REMEDY
from common.directory.problems import DirectoryError
from common.logs import configure_logs
from common.settings import Settings
from common.tls import TlsError


async def check(
    *,
    live: Switch = False,
    as_json: AsJson = False,
    where: Deployment | None = None,
) -> int:
    """Check the settings and the directory: what cannot work, where, and what to do about it.

    Nothing is contacted without --live. The exit code is 0 when there is nothing to mend, else 1; warnings are not
    mistakes.

    Parameters
    ----------
    live
        Also ask the queue, the directory of a registry, the downstream, and for each key the resolver, whether they are
        there and take these credentials. Nothing is changed.
    as_json
        Print the diagnostics as JSON.
    where
        The deployment.

    """
    configure_logs(level="CRITICAL", json=False)
    diagnostics = [diagnostic async for diagnostic in _find_all(where or Deployment(), live=live)]
    if as_json:
        print_document(diagnostics_to_document(diagnostics))
    else:
        Console(highlight=False).print(tabulate_diagnostics(diagnostics))
    return 1 if count_mistakes(diagnostics) else 0


async def _find_all(where: Deployment, *, live: bool) -> AsyncIterator[Diagnostic]:
    flags = {name: value for name, value in asdict(where).items() if value is not None}
    file = Path(flags.get("directory") or os.environ.get("SLUICE_DIRECTORY") or "sluice.toml")
    content = _read(file)
    checked = check_settings(os.environ, flags, referred_to=(content or b"").decode(errors="replace"))
    for diagnostic in checked.diagnostics:
        yield diagnostic
    settings = checked.settings
    if settings.directory_url is None:
        for diagnostic in _check_file(settings, content):
            yield diagnostic
    if live:
        async for diagnostic in _find_live(settings):
            yield diagnostic


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _check_file(settings: Settings, content: bytes | None) -> list[Diagnostic]:
    file = settings.directory_file
    if content is None:
        return [Diagnostic(Severity.MISTAKE, str(file), f"cannot be read; {PLACE_REMEDY}")]
    return check_file(file, content, os.environ, settings.downstream)


async def _find_live(settings: Settings) -> AsyncIterator[Diagnostic]:
    yield await check_queue(settings)
    try:
        directory = await read_directory(settings)
    except (DirectoryError, TlsError) as error:
        if settings.directory_url is not None:  # what is wrong with a file was said already
            yield Diagnostic(Severity.MISTAKE, "directory", str(error))
        return
    if settings.directory_url is not None:
        message = f"{count_entries(directory)} at {settings.directory_url}"
        yield Diagnostic(Severity.FINE, "directory", message)
    async for diagnostic in check_downstream(settings, directory):
        yield diagnostic
