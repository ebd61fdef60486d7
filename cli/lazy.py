"""Commands that are imported when they are run, so that none waits for what the others need."""

from collections.abc import Mapping
from typing import NamedTuple

from cyclopts import App
from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel
from rich.console import Console, ConsoleOptions


class LazyCommand(NamedTuple):
    """Where a command is, ``module:attribute``, and what the list of commands says of it: how its own page begins."""

    path: str
    summary: str


def add_lazily(app: App, commands: Mapping[str, LazyCommand]) -> None:
    """Give an app these commands, by their names."""
    for name, command in commands.items():
        app.command(command.path, name=name)
    app.help_formatter = SummaryFormatter({name: command.summary for name, command in commands.items()})


class SummaryFormatter(DefaultFormatter):
    """Says in a list of commands what they do that nobody has imported.

    Cyclopts takes such a summary with the command, but puts it in the place of all that the command's own page says.
    """

    def __init__(self, summaries: Mapping[str, str]) -> None:
        super().__init__()
        self._summaries = summaries

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one panel of a help page."""
        if panel.format == "command":
            panel = panel.copy(entries=[self._complete(entry) for entry in panel.entries])
        super().__call__(console, options, panel)

    def _complete(self, entry: HelpEntry) -> HelpEntry:
        """Give the entry with its summary; one that says something itself is imported, and perhaps of another app."""
        summary = self._summaries.get(entry.names[0])
        if summary is None or entry.description.primary_renderable:
            return entry
        return entry.copy(description=summary)
