"""TLS through real processes, with certificates made for the test: HTTPS in, HTTPS out. Imports nothing of Sluice."""

import math
import re
import signal
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import Authority, Pair
from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually

Start = Callable[..., System]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("sluice")


@pytest.fixture
def trust(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.path)


@pytest.fixture
def client(trust: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(verify=trust) as client:
        yield client


@pytest.fixture
def start(tmp_path: Path, trust: ssl.SSLContext) -> Iterator[Start]:
    """Start a stub that speaks HTTPS, and prepare a system that posts to it."""
    started: list[System] = []

    def start(stub: Pair, **environment: str) -> System:
        options = ("--tls-cert", str(stub.certificate), "--tls-key", str(stub.key))
        system = System(f"sqlite:{tmp_path / 'queue.db'}", tmp_path, stub_options=options, stub_trust=trust)
        system.environment |= environment
        started.append(system)
        return system

    yield start
    for system in started:
        system.close()


def settings_of(pair: Pair, authority: Authority) -> dict[str, str]:
    return {
        "SLUICE_TLS_CERT": str(pair.certificate),
        "SLUICE_TLS_KEY": str(pair.key),
        "SLUICE_TLS_CA": str(authority.path),
    }


def post(client: httpx.Client, ingest: Process) -> httpx.Response:
    return client.post(f"{ingest.url}/uplink", json={"serial": "A"}, headers={"Authorization": AUTHORIZATION})


async def test_an_uplink_travels_over_https_from_the_gateway_to_the_downstream(
    start: Start, client: httpx.Client, authority: Authority, pair: Pair
) -> None:
    system = start(authority.issue("stub"), **settings_of(pair, authority))
    ingest, worker = system.start_ingest(), system.start_worker()
    assert ingest.url.startswith("https://127.0.0.1:")
    assert post(client, ingest).status_code == 202
    await eventually(lambda: system.arrived()["distinct"] == 1)
    for process in (ingest, worker):
        assert 0 < read_expiry(client, process) < math.inf
        assert process.terminate(within=10) == 0


def read_expiry(client: httpx.Client, process: Process) -> float:
    """Give the Unix time at which the process says that its certificate expires."""
    metrics = client.get(f"{process.url}/metrics").text
    (value,) = re.findall(r"^sluice_tls_certificate_expires_timestamp_seconds (\S+)$", metrics, re.MULTILINE)
    return float(value)


def test_whoever_does_not_trust_the_certificate_does_not_reach_the_ingest(
    start: Start, client: httpx.Client, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    ingest = start(pair, **settings_of(pair, authority)).start_ingest()
    stranger = ssl.create_default_context(cafile=Authority(tmp_path / "other").path)
    with httpx.Client(verify=stranger) as suspicious, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY"):
        post(suspicious, ingest)
    with pytest.raises(httpx.TransportError):
        httpx.get(ingest.url.replace("https", "http"))
    assert post(client, ingest).status_code == 202


async def test_a_downstream_with_a_wrong_certificate_is_away_and_the_log_says_why(
    start: Start, client: httpx.Client, authority: Authority, tmp_path: Path
) -> None:
    system = start(authority.issue("stub"), SLUICE_TLS_CA=str(Authority(tmp_path / "other").path))
    ingest, worker = system.start_ingest(), system.start_worker()
    assert post(client, ingest).status_code == 202
    ready = await eventually(lambda: httpx.get(f"{worker.url}/readyz").json()["degraded"])
    assert "certificate is not trusted" in str(ready)
    assert system.arrived()["distinct"] == 0
    worker.kill()
    system.start_worker(SLUICE_TLS_CA=str(authority.path))
    await eventually(lambda: system.arrived()["distinct"] == 1)
    assert system.dead_letters() == []


async def test_a_renewed_certificate_is_shown_after_sighup_and_a_broken_one_is_not(
    start: Start, client: httpx.Client, authority: Authority, pair: Pair
) -> None:
    ingest = start(authority.issue("stub"), **settings_of(pair, authority)).start_ingest()
    port = int(ingest.url.rpartition(":")[2])
    before = ssl.get_server_certificate(("127.0.0.1", port))
    authority.issue("sluice")
    ingest.send_signal(signal.SIGHUP)
    await eventually(lambda: ssl.get_server_certificate(("127.0.0.1", port)) != before)
    pair.certificate.write_text("")
    ingest.send_signal(signal.SIGHUP)
    assert str(pair.certificate) in ingest.wait_for_line("certificate.refused")["why"]
    assert post(client, ingest).status_code == 202


@pytest.mark.parametrize("role", ["ingest", "worker"])
def test_files_that_cannot_be_used_end_the_start_with_one_clear_line(
    start: Start, role: str, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    system = start(pair)
    other = authority.issue("other")
    whole = settings_of(pair, authority)
    for settings, message in [
        ({"SLUICE_TLS_CERT": str(pair.certificate)}, "SLUICE_TLS_KEY is not: set both"),
        ({**whole, "SLUICE_TLS_CERT": str(tmp_path / "nowhere")}, f"{tmp_path / 'nowhere'} cannot be read"),
        ({**whole, "SLUICE_TLS_KEY": str(other.key)}, f"{other.key} is not the key"),
    ]:
        process = system.run(role, **settings)
        assert process.wait() == 1
        assert message in process.log
        assert "Traceback" not in process.log
