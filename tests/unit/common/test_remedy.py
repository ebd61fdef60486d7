"""What to do about a letter: the same sentence in the code and in the documents."""

from pathlib import Path

import pytest

from common.reason import Reason
from common.remedy import REMEDIES, find_remedy

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"


def test_every_reason_that_a_letter_can_have_has_a_remedy() -> None:
    """The list is written out a second time on purpose: a new reason needs a sentence."""
    assert set(REMEDIES) == {
        "serial_unknown",
        "serial_malformed",
        "serial_missing",
        "value_refused",
        "downstream_refused",
        "parser_failed",
        "key_unknown",
        "envelope_unsupported",
        "attempts_exhausted",
        "internal_error",
    }


@pytest.mark.parametrize("reason", REMEDIES)
def test_the_documents_say_the_same(reason: Reason) -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{reason}` |")]
    assert any(REMEDIES[reason] in row for row in rows), f"no row of {PAGE.name} has it: {REMEDIES[reason]}"


def test_a_reason_of_another_release_gets_a_general_answer() -> None:
    assert "detail" in find_remedy(Reason.QUEUE_FULL)
