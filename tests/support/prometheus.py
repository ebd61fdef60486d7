"""A real Prometheus for tests, where the machine has one (Debian: ``prometheus``); imports nothing of Sluice."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.ports import find_free_port
from tests.support.processes import Process
from tests.support.waiting import eventually

EXTRACTED = Path(__file__).parents[2] / "build" / "prometheus" / "usr" / "bin"
"""Where .ci/run puts it on a machine that has none."""


def find_program(name: str) -> str:
    """Give the path of ``prometheus`` or ``promtool``; skips the test that asks where there is none."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), str(EXTRACTED)]))
    if found is None:
        pytest.skip("Prometheus is not installed (Debian: apt-get install prometheus)")
    return found


def run_promtool(*arguments: str) -> str:
    """Run promtool, and give what it wrote; the test fails with that when the tool is not content."""
    done = subprocess.run([find_program("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Prometheus:
    """Asks each of the processes, by job, every second; ``rules`` are the files of rules that it goes by."""

    def __init__(self, folder: Path, jobs: Mapping[str, Sequence[Process]], rules: Sequence[Path] = ()) -> None:
        configuration = folder / "prometheus.yml"
        scraped = [
            {"job_name": job, "static_configs": [{"targets": [urlsplit(process.url).netloc for process in processes]}]}
            for job, processes in jobs.items()
        ]
        times = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        configuration.write_text(
            json.dumps({"global": times, "rule_files": [str(path) for path in rules], "scrape_configs": scraped})
        )
        address = f"127.0.0.1:{find_free_port()}"
        self.url = f"http://{address}"
        self._process = Process(
            find_program("prometheus"),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={address}",
        )

    async def wait_until_ready(self) -> None:
        await eventually(self._is_ready, within=60)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Give the samples of a query; the test fails with Prometheus' words where it is none."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=30)
        document = answer.json()
        assert document["status"] == "success", f"{query}: {document}"
        samples: list[dict[str, Any]] = document["data"]["result"]
        return samples

    def list_rules(self) -> list[dict[str, Any]]:
        """Give every rule with its health."""
        groups = httpx.get(f"{self.url}/api/v1/rules", timeout=30).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def close(self) -> None:
        self._process.close()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
