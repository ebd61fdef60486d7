"""Node.js and the packages of the tests that run in it."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "integration" / "javascript"
INSTALLED = Path(__file__).parents[2] / "build" / "javascript"

INSTALL_SECONDS = 120.0


def install_packages() -> Path:
    """Give the folder in which the packages are installed.

    Skips the test that asks, in CI as well, where there is no Node.js or its packages cannot be had: what is tested is
    another project's client, and no machine has to have it to work on this one.
    """
    missing = [command for command in ("node", "npm") if shutil.which(command) is None]
    if missing:
        pytest.skip(f"this machine has no {' and no '.join(missing)}")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    wanted = SOURCES.joinpath("package.json").read_text()
    there = INSTALLED / "package.json"
    if not (INSTALLED / "node_modules").exists() or not there.exists() or there.read_text() != wanted:
        there.write_text(wanted)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--omit=dev"]
        installing = subprocess.run(
            command, cwd=INSTALLED, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if installing.returncode != 0:
            there.unlink()
            pytest.skip(f"npm cannot install the packages (exit code {installing.returncode})")
    return INSTALLED
