"""Flags that several commands have."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

Switch: TypeAlias = Annotated[bool, Parameter(negative=(), show_default=False)]
"""A flag that is given or not; there is no ``--no-…`` to undo it."""

AsJson: TypeAlias = Annotated[Switch, Parameter(name="--json")]
