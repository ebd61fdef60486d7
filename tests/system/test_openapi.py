"""What the ingest says about itself is true: schemathesis tries it on a real process. Imports nothing of Sluice."""

import sys

import httpx
import pytest

from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, System

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)
"""All but those that expect whatever fits the schema to be accepted: an uplink without a serial is not."""


@pytest.fixture
def system(system_on_sqlite: System) -> System:
    """What is tested here is the same on every queue."""
    return system_on_sqlite


@pytest.mark.timeout(400)
def test_every_answer_of_the_ingest_is_as_its_description_says(system: System) -> None:
    ingest = system.start_ingest()
    trying = Process(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{ingest.url}/openapi.json"),
        *("--checks", ",".join(CHECKS), "--max-examples", "40", "--seed", "1", "--generation-database", "none"),
        *("--header", f"Authorization: {AUTHORIZATION}", "--no-color"),
    )
    try:
        assert trying.wait(within=150) == 0, trying.log
    finally:
        trying.close()
    metrics = httpx.get(f"{ingest.url}/metrics").text
    assert "sluice_uplinks_accepted_total 0.0" not in metrics, "nothing that was tried was accepted: it tried nothing"
    assert 'sluice_requests_refused_total{reason="internal_error"} 0.0' in metrics
