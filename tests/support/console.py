"""A whole Sluice with its console, and somebody who goes through its pages; imports nothing of Sluice."""

import re
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from tests.support.ports import find_free_port
from tests.support.processes import SLUICE, Process
from tests.support.roles import PROFILE_TOKEN

START_SECONDS = 60.0


class Running:
    """``sluice run`` on storage of its own, and where each of its roles listens."""

    def __init__(self, folder: Path) -> None:
        environment = {
            "SLUICE_DATA": str(folder / "var"),
            "SLUICE_QUEUE": f"sqlite:{folder / 'var' / 'queue.db'}",
            "SLUICE_DIRECTORY": str(folder / "sluice.toml"),
            "SLUICE_PROFILE_TOKEN": PROFILE_TOKEN,
            "SLUICE_INGEST_PORT": str(find_free_port()),  # known before it listens: the console tells people
            **{f"SLUICE_{role}_PORT": "0" for role in ("REGISTRY", "WORKER", "CONSOLE")},
            "SLUICE_LOG_FORMAT": "json",
        }
        self.process = Process(str(SLUICE), "run", environment=environment)

    def url(self, role: str) -> str:
        """Give where a role listens, once it does."""
        return str(self.process.wait_for_line("http.listening", within=START_SECONDS, role=role)["url"])

    def send(self, key: str, body: object) -> int:
        """Post uplinks to the ingest, and give the status of the answer."""
        response = httpx.post(f"{self.url('ingest')}/uplink", json=body, headers={"Authorization": key}, timeout=30)
        return response.status_code


class Visitor:
    """Somebody at the console without a browser."""

    def __init__(self, url: str, token: str = PROFILE_TOKEN) -> None:
        self._client = httpx.Client(base_url=url, follow_redirects=True, timeout=30)
        self.submit("/sign-in", on="/sign-in", token=token)

    def open(self, path: str) -> str:
        return self._client.get(path).raise_for_status().text

    def submit(self, path: str, *, on: str, **fields: str) -> httpx.Response:
        found = re.search(r'name="form_token" value="([^"]+)"', self.open(on))
        assert found is not None
        response = self._client.post(path, data={"form_token": found[1], **fields})
        return response.raise_for_status()

    def watch(self) -> AbstractContextManager[httpx.Response]:
        """Follow the live inspector."""
        return self._client.stream("GET", "/live/events")

    def close(self) -> None:
        self._client.close()
