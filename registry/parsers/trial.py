"""A parser that is tried on a sample: what would become of the sample, without anything being stored."""

from registry.parsers.model import ParserFailed, ParserOutcome
from registry.records import check_records
from registry.refusal import RefusedError

SAMPLE_ID = "0" * 24
"""The id of a device that there is only for a trial."""


def find_problem(outcome: ParserOutcome) -> str | None:
    """Say why the registry would not take what came of a parser; None where it would, be it no record at all."""
    if isinstance(outcome, ParserFailed):
        return str(outcome)
    if not outcome.records:
        return None
    try:
        check_records(outcome.records)
    except RefusedError as error:
        return error.message
    return None
