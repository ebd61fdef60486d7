"""How ``sluice explain --guess`` shows which presets fit, and why."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from cli.terminal import clean_text
from common.fields.guessing import Fit
from common.fields.presets import PRESETS

SHOWN_FITS = 5


def show_fits(fits: Sequence[Fit], common_names: Sequence[str]) -> RenderableType:
    """Show the presets that fit, the best first, and the map to begin with; without any, the ``common_names``."""
    if not fits and common_names:
        verb = "is" if len(common_names) == 1 else "are"
        return clean_text(
            f"No preset fits, and none is needed: {' and '.join(common_names)} {verb} found without a map. sluice"
            " explain without --guess shows what would become of it."
        )
    if not fits:
        return clean_text(
            "No preset fits. Name the paths yourself, as in --map 'serial=…;payload=…;port=…': sluice explain without"
            " --guess shows what is found, and sluice presets what each server sends."
        )
    table = Table("preset", "network server", "fits", "there", "not there", box=None)
    for fit in fits[:SHOWN_FITS]:
        table.add_row(
            fit.preset,
            fit.server,
            f"{fit.share:.0%}",
            clean_text(_describe_found(fit)),
            clean_text(", ".join(fit.missing)),
        )
    best = fits[0].preset
    return Group(
        table,
        "",
        clean_text(f"additional parameters: preset={best}"),
        clean_text(f"what that stands for: sluice presets {best}"),
    )


def fits_to_document(fits: Sequence[Fit]) -> list[dict[str, Any]]:
    """Give the presets that fit as JSON, the best first."""
    return [
        {
            "preset": fit.preset,
            "server": fit.server,
            "share": round(fit.share, 2),
            "found": fit.found,
            "missing": fit.missing,
            "set_aside_by": None if fit.set_aside_by is None else str(fit.set_aside_by),
            "map": PRESETS[fit.preset].text,
        }
        for fit in fits
    ]


def _describe_found(fit: Fit) -> str:
    found = ", ".join(fit.found)
    return found if fit.set_aside_by is None else f"{found}; no uplink, set aside by {fit.set_aside_by}"
