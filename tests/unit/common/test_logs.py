import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from common.logs import LogBudget, configure_logs
from common.tracing import read_context


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="INFO", json=True)
    structlog.get_logger().info("batch.refused", reason="serial_missing")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["reason"], line["level"]) == ("batch.refused", "serial_missing", "info")
    assert line["timestamp"].endswith("Z")


def test_an_error_carries_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="INFO", json=True)
    try:
        raise RuntimeError("bug")
    except RuntimeError:
        structlog.get_logger().exception("uplink.broken")
    assert json.loads(capsys.readouterr().err)["exception"][0]["exc_type"] == "RuntimeError"


@pytest.mark.parametrize("json", [True, False])
def test_a_traceback_holds_no_local_variable(capsys: pytest.CaptureFixture[str], *, json: bool) -> None:
    configure_logs(level="INFO", json=json)
    try:
        device_token = "secret-token"[::-1]  # the traceback shows this line, and must not show its value
        raise RuntimeError(f"bug met with {len(device_token)} characters")
    except RuntimeError:
        structlog.get_logger().exception("uplink.broken")
    output = capsys.readouterr().err
    assert "bug met" in output
    assert "nekot-terces" not in output


def test_a_library_that_logs_urls_is_kept_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="DEBUG", json=True)
    logging.getLogger("httpx").info("HTTP Request: GET http://downstream/resolve/A/a-key")
    logging.getLogger("aiormq.connection").debug("frame")
    assert capsys.readouterr().err == ""


def test_what_a_sender_writes_into_its_trace_context_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="INFO", json=True)
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert read_context({"traceparent": traceparent, "tracestate": "!!!"})
    read_context({"traceparent": "0" * 10_000})
    assert capsys.readouterr().err == ""


def test_a_librarys_warning_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="INFO", json=True)
    logging.getLogger("uvicorn.error").warning("something %s", "odd")
    assert json.loads(capsys.readouterr().err)["event"] == "something odd"


def test_a_budget_holds_lines_back_and_says_how_many() -> None:
    now = 0.0
    budget = LogBudget(lines_per_second=2, clock=lambda: now)
    assert [budget.admit("a") for _ in range(5)] == [0, 0, None, None, None]
    assert budget.admit("b") == 0
    now = 1.0
    assert [budget.admit("a"), budget.admit("a")] == [3, 0]
