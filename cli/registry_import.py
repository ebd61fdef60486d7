"""``sluice registry import``: networks and connectors from definitions in the form in which decoders are published."""

from collections import Counter
from collections.abc import Sequence

from cyclopts.types import ExistingDirectory
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.definition import read_definitions
from cli.definition_files import DefinitionFiles
from cli.importer import Imported, Importer
from cli.registry_access import RegistryError, open_registry
from cli.registry_flags import Access, LinesOfJson
from cli.terminal import print_line


def import_definitions(directory: ExistingDirectory, *, as_json: LinesOfJson = False, access: Access = None) -> int:
    """Take networks and connectors from definitions in the form in which decoders for TagoIO are published.

    Every network.jsonc and connector.jsonc below the directory is one. What has the same name in the registry is
    changed, anything else is created; so importing again changes only what has changed. A broken definition stops no
    other. The exit code is 0 when none was broken, and 1 otherwise.

    Parameters
    ----------
    directory
        Where the definitions are.
    as_json
        Print each as one line of JSON.
    access
        Which registry, and who asks.

    """
    files = DefinitionFiles(directory)
    with open_registry(access) as client:
        importer = Importer(client, files)
        results = [importer.take(definition) for definition in read_definitions(files)]
    if not results:
        raise RegistryError(f"there is no network.jsonc and no connector.jsonc below {directory}")
    if as_json:
        for result in results:
            print_line(result)
    else:
        Console().print(tabulate_imported(results))
    return int(any(result.outcome == "failed" for result in results))


def tabulate_imported(results: Sequence[Imported]) -> Table:
    """Give one row for each definition, with what was not taken of it."""
    counts = Counter(result.outcome for result in results)
    counted = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items())
    table = Table(title=f"definitions: {counted}")
    for title in ("", "name", "result", "not taken"):
        table.add_column(title, overflow="fold")
    for result in results:
        name = result.name or result.folder
        table.add_row(result.kind, Text(name), result.outcome, Text("\n".join(result.remarks)))
    return table
