"""``sluice ingest``: the ingest as a process of its own."""

from cli.deployment import SettingsFlags
from cli.process import run_role
from cli.starting import start
from common.settings import Settings
from ingest.service import Ingest


def ingest(*, settings: SettingsFlags = None) -> int:
    """Serve POST /uplink: authenticate, validate, put into the queue, answer 202."""
    settings = settings or Settings()
    return start(settings, run_role(settings, Ingest))
