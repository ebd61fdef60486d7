"""The snapshot of the directory that the roles work with."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.directories import build_directory, build_key, build_network

NOW = datetime(2026, 11, 21, 1, 23, 45, tzinfo=UTC)


def test_a_token_names_its_key() -> None:
    factory, office = build_key("factory"), build_key("office")
    directory = build_directory(factory, office)
    assert directory.authenticate("at-factory") == factory
    assert directory.authenticate("at-office") == office


@pytest.mark.parametrize("token", ["", "at-", "at-factor", "AT-FACTORY", "at-factory ", "at-fäctory", "\udcff"])
def test_a_token_of_nobody_names_no_key_whatever_a_stranger_sends(token: str) -> None:
    assert build_directory(build_key("factory")).authenticate(token) is None


def test_a_disabled_key_is_still_named_so_that_its_sender_learns_why() -> None:
    key = build_key("factory", enabled=False)
    assert build_directory(key).authenticate("at-factory") == key


def test_keys_and_networks_are_found_by_their_ids() -> None:
    key, network = build_key("factory", network="lorawan"), build_network("lorawan")
    directory = build_directory(key, networks=(network,))
    assert directory.key("factory") == key
    assert directory.network("lorawan") == network
    assert directory.key("lorawan") is None
    assert directory.network("factory") is None


@pytest.mark.parametrize(
    ("enabled", "expires_at", "may_send"),
    [
        (True, None, True),
        (True, NOW + timedelta(microseconds=1), True),
        (True, NOW, False),
        (True, NOW - timedelta(days=1), False),
        (False, None, False),
        (False, NOW + timedelta(days=1), False),
    ],
)
def test_a_key_may_send_while_it_is_enabled_and_has_not_expired(
    *, enabled: bool, expires_at: datetime | None, may_send: bool
) -> None:
    assert build_key(enabled=enabled, expires_at=expires_at).may_send(NOW) is may_send


def test_a_directory_shows_no_token() -> None:
    directory = build_directory(build_key("factory", token="secret-key"), networks=(build_network("plain"),))
    shown = repr(directory) + str(directory)
    assert "factory" in shown
    assert "secret-key" not in shown
    assert "n-plain" not in shown


def test_a_directory_does_not_show_its_indexes() -> None:
    directory = build_directory(build_key())
    hidden = [field.name for field in fields(directory) if field.name.startswith("_")]
    assert hidden
    assert not [name for name in hidden if name in repr(directory)]
