"""``sluice worker``: the worker as a process of its own."""

from cli.deployment import SettingsFlags
from cli.process import run_role
from cli.starting import start
from common.settings import Settings
from workers.service import Worker


def worker(*, settings: SettingsFlags = None) -> int:
    """Take uplinks from the queue: map, resolve, post, settle. Run as many as the load asks for."""
    settings = settings or Settings()
    return start(settings, run_role(settings, Worker))
