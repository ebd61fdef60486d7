from common.metrics import REGISTRY
from workers.refusals import WAIT, Refusals

CREDENTIALS = ("n-1", "at-1")
MENDED_AGAIN = ("n-1", "at-3")
MENDED = ("n-1", "at-2")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_was_refused_is_held_and_shown() -> None:
    refusals = Refusals(Clock())
    assert not refusals.hold(CREDENTIALS)
    refusals.add(CREDENTIALS, "factory")
    assert refusals.hold(CREDENTIALS)
    assert refusals.keys == ["factory"]


def test_after_a_while_one_may_ask_and_the_others_wait_for_it() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    refusals.add(CREDENTIALS, "factory")
    clock.now = WAIT.total_seconds()
    assert [refusals.hold(CREDENTIALS) for _ in range(3)] == [False, True, True]


def test_other_credentials_are_not_held() -> None:
    refusals = Refusals(Clock())
    refusals.add(CREDENTIALS, "factory")
    assert not refusals.hold(MENDED)


def test_a_key_that_is_accepted_again_is_no_longer_held_with_any_credentials() -> None:
    refusals = Refusals(Clock())
    refusals.add(CREDENTIALS, "factory")
    refusals.add(MENDED, "other")
    assert REGISTRY.get_sample_value("sluice_keys_refused") == 2
    refusals.lift(MENDED_AGAIN, "factory")
    assert refusals.keys == ["other"]
    assert REGISTRY.get_sample_value("sluice_keys_refused") == 1
    assert not refusals.hold(CREDENTIALS)


def test_credentials_that_are_accepted_are_not_held_for_a_key_that_was_renamed() -> None:
    refusals = Refusals(Clock())
    refusals.add(CREDENTIALS, "factory")
    refusals.lift(CREDENTIALS, "renamed")
    assert not refusals.hold(CREDENTIALS)
