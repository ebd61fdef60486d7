"""What ``sluice check`` found, and how it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from cli.terminal import clean_text


class Severity(StrEnum):
    """How bad it is: a mistake keeps something from working, a warning is probably not what was meant."""

    FINE = "fine"
    WARNING = "warning"
    MISTAKE = "mistake"


COLORS = {Severity.FINE: "green", Severity.WARNING: "yellow", Severity.MISTAKE: "red"}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that was looked at. ``place`` is where in ``subject``, a file with its line or a setting."""

    severity: Severity
    subject: str
    message: str
    place: str = ""


def count_mistakes(diagnostics: Sequence[Diagnostic]) -> int:
    """Count what has to be mended."""
    return sum(diagnostic.severity is Severity.MISTAKE for diagnostic in diagnostics)


def tabulate_diagnostics(diagnostics: Sequence[Diagnostic]) -> RenderableType:
    """Show one diagnostic a row, and how many there are to mend."""
    table = Table.grid(padding=(0, 2))
    for diagnostic in diagnostics:
        place = f"{diagnostic.place}: " if diagnostic.place else ""
        table.add_row(
            clean_text(diagnostic.severity),
            clean_text(diagnostic.subject),
            clean_text(f"{place}{diagnostic.message}"),
            style=COLORS[diagnostic.severity],
        )
    table.columns[2].overflow = "fold"
    mistakes = count_mistakes(diagnostics)
    warnings = sum(diagnostic.severity is Severity.WARNING for diagnostic in diagnostics)
    summary = f"{mistakes} mistake{'' if mistakes == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    return Group(table, summary)


def diagnostics_to_document(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """Give them as JSON."""
    return {
        "fine": count_mistakes(diagnostics) == 0,
        "diagnostics": [
            {
                "severity": diagnostic.severity,
                "subject": diagnostic.subject,
                "place": diagnostic.place,
                "message": diagnostic.message,
            }
            for diagnostic in diagnostics
        ],
    }
