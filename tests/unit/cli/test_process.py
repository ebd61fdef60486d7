"""What a process gives each role's server."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from cli.process import CreateRole, run_role
from common.direct_http import DirectApp
from common.settings import Settings
from ingest.service import Ingest
from tests.support.directory_file import write_directory
from workers.service import Worker


@pytest.mark.parametrize(("create", "takes_whole_requests"), [(Ingest, True), (Worker, False)])
async def test_an_app_that_takes_whole_requests_is_given_them_also_where_events_are_served_beside_it(
    create: CreateRole,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    takes_whole_requests: bool,
) -> None:
    served: dict[str, Any] = {}

    async def serve(app: Any, listener: socket.socket, *_: object, stopping: asyncio.Event, **options: Any) -> None:
        listener.close()
        served.update(options, app=app)
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.wait()

    monkeypatch.setattr("cli.process.serve_http", serve)
    file = tmp_path / "sluice.toml"
    file.write_text(write_directory(serial_format="", field_map=""))
    settings = Settings(
        queue=f"sqlite:{tmp_path}/queue.db", directory=str(file), data=tmp_path, ingest_port=0, worker_port=0
    )
    await run_role(settings, create)
    assert isinstance(served["direct"], DirectApp) == takes_whole_requests
    assert served["app"] is not served["direct"], "events are served beside it"
