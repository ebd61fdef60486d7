"""A whole Sluice in a container, and what a test asks of it: the fixture ``sluice`` gives a :class:`Sluice`."""

from sluice_testing.sluice import Arrival, DeadLetter, NotArrivedError, Sluice

__all__ = ["Arrival", "DeadLetter", "NotArrivedError", "Sluice"]
