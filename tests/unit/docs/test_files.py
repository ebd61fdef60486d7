"""The files that the documents name are there, and docs/one-uplink.md leaves none of the way out."""

import re

import pytest

from tests.support.pages import PAGES, REPOSITORY, read_page

NAMED = sorted({(page, name) for page in PAGES for name in re.findall(r"`(\w+(?:/[\w.]+)+\.py)`", read_page(page))})


@pytest.mark.parametrize(("page", "name"), NAMED)
def test_a_file_that_a_page_names_is_there(page: str, name: str) -> None:
    assert (REPOSITORY / name).is_file(), f"{page} names it"


@pytest.mark.parametrize("package", ["ingest", "workers"])
def test_the_way_of_an_uplink_names_every_file_of_the_package(package: str) -> None:
    files = {f"{package}/{path.name}" for path in (REPOSITORY / package).glob("*.py") if path.stem != "__init__"}
    assert files <= {name for page, name in NAMED if page == "docs/one-uplink.md"}
