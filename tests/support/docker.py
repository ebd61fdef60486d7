"""The Docker engine of this machine."""

import os
import shutil
import subprocess

import pytest


def find_docker() -> str:
    """Give the command of an engine that answers. Without one, skip; in CI, fail: there it has to be."""
    docker = shutil.which("docker")
    if docker and all(
        subprocess.run([docker, *arguments], capture_output=True, check=False).returncode == 0
        for arguments in (["info"], ["compose", "version"])
    ):
        return docker
    if os.environ.get("CI") == "true":
        pytest.fail("no Docker engine with Compose answers, and CI has to test the containers")
    pytest.skip("no Docker engine with Compose answers")
