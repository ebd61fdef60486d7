"""What a device sent in the last hours: as plots, and as a table in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from common.registry_requests import Document
from console.plot import Plot, plot_records
from console.things import DEVICES, PAGE_ROWS, Listed, read_page
from console.visit import Visit

PERIODS: Final = {"1": "last hour", "6": "last 6 hours", "24": "last 24 hours", "168": "last 7 days"}
"""By their hours."""

USUAL_HOURS: Final = "24"

MOST_RECORDS: Final = 1_000
"""Of a period, the newest ones; who wants more asks the API."""


@dataclass(frozen=True, slots=True)
class DeviceData:
    """A device's data of a period. ``is_whole``: there is no more of it than this."""

    hours: str
    listed: Listed
    plots: Sequence[Plot]
    count: int
    is_whole: bool

    @property
    def period(self) -> str:
        """What people call the period."""
        return PERIODS[self.hours]


async def read_data(visit: Visit, device: Document) -> DeviceData:
    """Give the data of the period that the query asks for, and the page of it."""
    hours = visit.query("hours") if visit.query("hours") in PERIODS else USUAL_HOURS
    start = datetime.now(UTC) - timedelta(hours=int(hours))
    wanted = {"start_date": start.isoformat(), "qty": str(MOST_RECORDS)}
    records: list[Document] = await visit.api.get(f"{DEVICES.at(device['id'])}/data", wanted)
    page = read_page(visit)
    end = page * PAGE_ROWS
    listed = Listed(
        records[end - PAGE_ROWS : end], page, end < len(records), DEVICES.page(device["id"]), {"hours": hours}
    )
    return DeviceData(hours, listed, plot_records(records), len(records), is_whole=len(records) < MOST_RECORDS)
