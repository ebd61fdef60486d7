"""Which deployment an operator's tool looks at: the few settings that say where it is, as flags."""

from dataclasses import asdict, dataclass
from typing import Annotated, TypeAlias

from cyclopts import Group, Parameter

from common.settings import Settings

SettingsFlags: TypeAlias = Annotated[Settings | None, Parameter(name="*")]
"""Every setting as a flag; what no flag gives comes from the environment (``SLUICE_…``)."""

WHERE = Group("Where", sort_key=100)


@Parameter(name="*", group=WHERE)
@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The settings that were given as flags; all others come from the environment."""

    queue: Annotated[str | None, Parameter(show_default=False)] = None
    """Where the queue is: amqp://…, amqps://… or sqlite:PATH. [env: SLUICE_QUEUE]"""

    queue_prefix: Annotated[str | None, Parameter(show_default=False)] = None
    """First part of every queue's name on the broker. [env: SLUICE_QUEUE_PREFIX]"""

    directory: Annotated[str | None, Parameter(show_default=False)] = None
    """Who may send, and what their fields mean: a file, or the URL of a registry. [env: SLUICE_DIRECTORY]"""

    def read_settings(self) -> Settings:
        """Give the settings of the deployment. Raises pydantic's ValidationError."""
        return Settings(**{name: value for name, value in asdict(self).items() if value is not None})
