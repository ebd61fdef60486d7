"""docs/operations.md cannot go stale where the code knows better: its tables are what `make docs` writes."""

import re

import pytest

from common.reason import Reason
from docs.tables import PAGE, TABLES, make_metrics_table, make_settings_table, write_tables


def test_the_page_is_what_would_be_written_today() -> None:
    page = PAGE.read_text()
    assert write_tables(page) == page, "run `make docs`"


@pytest.mark.parametrize("name", TABLES)
def test_a_page_without_a_place_for_a_table_is_refused(name: str) -> None:
    page = PAGE.read_text().replace(f"<!-- {name}: ", "<!-- ")
    with pytest.raises(ValueError, match=name):
        write_tables(page)


def test_a_table_that_is_out_of_date_is_written_anew() -> None:
    page = PAGE.read_text()
    assert write_tables(page.replace("| `SLUICE_QUEUE_LIMIT` |", "| `SLUICE_OLD_NAME` |")) == page


def test_every_reason_is_explained_on_the_page() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    explained = set(re.findall(r"`([a-z_]+)`", "".join(rows)))
    assert set(Reason) - explained <= {Reason.NOT_AN_UPLINK}, "it is set aside, and nobody has to do anything"


def test_a_default_is_shown_as_an_operator_would_write_it() -> None:
    table = make_settings_table()
    assert "| `SLUICE_SECRET_KEY` |  |" in table
    assert "| `SLUICE_CONFIRM_TIMEOUT` | `2` |" in table


def test_a_counter_is_called_as_its_series_is() -> None:
    table = make_metrics_table()
    assert "| `sluice_uplinks_dead_total` | counter | `reason` |" in table
    assert "| `sluice_confirm_seconds` | histogram |  |" in table
