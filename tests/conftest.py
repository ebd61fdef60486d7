"""What several kinds of tests share: the broker, fresh names for each test, and a word on what was left out."""

import gc
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.broker import BrokerContainer, BrokerMissingError, broker_container, find_broker, leave_out


@pytest.fixture(scope="session")
def start_container() -> Iterator[Callable[[], BrokerContainer]]:
    """Start the session's container on first use, and not before."""
    started: list[BrokerContainer] = []
    with ExitStack() as stack:

        def start() -> BrokerContainer:
            if not started:
                started.append(stack.enter_context(broker_container()))
            return started[0]

        yield start


@pytest.fixture(scope="session")
def own_broker(start_container: Callable[[], BrokerContainer]) -> BrokerContainer:
    """A broker that may be restarted and starved."""
    try:
        return start_container()
    except BrokerMissingError as error:
        leave_out(str(error))


@pytest.fixture(scope="session")
def amqp_url(start_container: Callable[[], BrokerContainer]) -> str:
    """The broker that the tests share."""
    try:
        return find_broker(start_container)
    except BrokerMissingError as error:
        leave_out(str(error))


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nobody looks for cycles of garbage meanwhile: what one holds stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def prefix() -> str:
    """A prefix of queues that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say at the very end what was not tested, so that a green run is not taken for more than it is."""
    yield
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    for reason, tests in reasons.items():
        terminalreporter.write_line(f"NOT TESTED: {tests} tests, because {reason}", yellow=True)
