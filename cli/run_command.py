"""``sluice run`` on the command line: which of its two ways is meant."""

from cli.demo import show_demo
from cli.deployment import SettingsFlags
from cli.flags import Switch
from cli.registry import REGISTRY_ERRORS
from cli.run import run_with_directory, run_with_registry
from cli.starting import start
from cli.terminal import fail
from common.settings import Settings


def run(*, demo: Switch = False, settings: SettingsFlags = None) -> int:
    """Run everything in one process: ingest, worker, console, and the registry on storage of its own.

    Where the directory's file exists, or is the URL of a registry, it is used instead of one in this process, and its
    downstream is posted to.

    Parameters
    ----------
    demo
        Create devices and keys, send a few uplinks, and show where they landed.
    settings
        Every setting as a flag; what no flag gives comes from the environment.

    """
    settings = settings or Settings()
    if demo and "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "WARNING"})
    if settings.directory_url is None and not settings.directory_file.exists():
        return start(settings, run_with_registry(settings, show_demo if demo else None), errors=REGISTRY_ERRORS)
    if demo:
        return fail(f"the demo shows the registry, but {settings.directory} would be used in its place")
    return start(settings, run_with_directory(settings))
