"""What the tests of the command line share."""

import pytest
import structlog


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a terminal so wide that no line is broken."""
    monkeypatch.setenv("COLUMNS", "500")


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command configures the logs of its process; here the process is the tests', whose loggers would keep that."""
    monkeypatch.setattr(structlog, "configure", lambda **_: None)
