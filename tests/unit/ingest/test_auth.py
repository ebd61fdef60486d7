"""Who sends."""

import pytest

from common.reason import Reason
from ingest.auth import authenticate
from ingest.refusal import RefusedError
from tests.support.directories import StaticDirectory, build_directory, build_key


def test_before_the_directory_was_read_nobody_is_unknown_but_has_to_come_again() -> None:
    """A 403 would be final, and the key may be a good one."""
    directory = StaticDirectory(build_directory())
    directory.is_read = False
    with pytest.raises(RefusedError) as refusal:
        authenticate("at-factory", {}, directory)
    assert (refusal.value.reason, refusal.value.status) == (Reason.DIRECTORY_UNAVAILABLE, 503)
    assert refusal.value.headers["Retry-After"] == "1"
    directory.is_read = True
    with pytest.raises(RefusedError) as refusal:
        authenticate("at-factory", {}, directory)
    assert refusal.value.reason == Reason.AUTHORIZATION_UNKNOWN


def test_a_key_that_is_known_is_given() -> None:
    key = build_key()
    assert authenticate("Bearer at-factory", {}, StaticDirectory(build_directory(key))) is key
