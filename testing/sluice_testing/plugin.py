"""The fixtures. pytest finds them by itself once the distribution is installed."""

from collections.abc import Iterator, Mapping

import pytest

from sluice_testing.container import SluiceContainer, run_container
from sluice_testing.sluice import Sluice, open_sluice

DEFAULT_IMAGE = "sluice:local"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line and the configuration name the image."""
    text = f"the image of Sluice that the tests run (default: {DEFAULT_IMAGE})"
    parser.addoption("--sluice-image", help=text)
    parser.addini("sluice_image", help=text, default=DEFAULT_IMAGE)


@pytest.fixture(scope="session")
def sluice_settings() -> Mapping[str, str]:
    """Override this to set more: names and values of Sluice's environment."""
    return {}


@pytest.fixture(scope="session")
def sluice_container(pytestconfig: pytest.Config, sluice_settings: Mapping[str, str]) -> Iterator[SluiceContainer]:
    """A Sluice for all tests, started for the first that asks."""
    image = pytestconfig.getoption("--sluice-image") or pytestconfig.getini("sluice_image")
    with run_container(image, sluice_settings) as container:
        yield container


@pytest.fixture
def sluice(sluice_container: SluiceContainer) -> Iterator[Sluice]:
    """A Sluice with a key of the test's own and no devices yet; both are removed after the test."""
    sluice = open_sluice(sluice_container)
    yield sluice
    sluice.remove_all()
