"""What the tests of the directory's sources share."""

from collections.abc import Callable, Iterator

import pytest
import structlog
from structlog.typing import EventDict

from common.metrics import DIRECTORY_DEGRADED, REGISTRY


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    """What is logged."""
    with structlog.testing.capture_logs() as logs:
        yield logs


@pytest.fixture
def gauge() -> Iterator[Callable[[], float | None]]:
    """Say whether the directory counts as degraded, which it does not before and after the test."""
    DIRECTORY_DEGRADED.set(0)
    yield lambda: REGISTRY.get_sample_value("sluice_directory_degraded")
    DIRECTORY_DEGRADED.set(0)
