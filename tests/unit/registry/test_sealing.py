import pytest
from pydantic import SecretStr

from registry.sealing import SealBrokenError, Sealer

TOKEN = SecretStr("n-2f6f1d5c-7a53-4a2d-9f2e-0c8f6b1b7a11")


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(SecretStr("0123456789abcdef" * 2))


def test_a_sealed_token_opens_for_its_owner(sealer: Sealer) -> None:
    assert sealer.unseal(sealer.seal(TOKEN, "owner"), "owner") == TOKEN


def test_the_same_token_is_never_sealed_to_the_same_bytes(sealer: Sealer) -> None:
    assert sealer.seal(TOKEN, "owner") != sealer.seal(TOKEN, "owner")


def test_a_seal_does_not_open_for_another_owner_or_under_another_secret(sealer: Sealer) -> None:
    sealed = sealer.seal(TOKEN, "owner")
    with pytest.raises(SealBrokenError):
        sealer.unseal(sealed, "another")
    with pytest.raises(SealBrokenError):
        Sealer(SecretStr("fedcba9876543210" * 2)).unseal(sealed, "owner")


@pytest.mark.parametrize("place", [0, 12, -1])
def test_a_seal_that_was_tampered_with_does_not_open(sealer: Sealer, place: int) -> None:
    sealed = bytearray(sealer.seal(TOKEN, "owner"))
    sealed[place] ^= 1
    with pytest.raises(SealBrokenError):
        sealer.unseal(bytes(sealed), "owner")


def test_neither_seal_nor_index_shows_the_token(sealer: Sealer) -> None:
    plain = TOKEN.get_secret_value().encode()
    assert plain not in sealer.seal(TOKEN, "owner")
    assert plain not in sealer.index(TOKEN.get_secret_value())


def test_an_index_is_always_the_same_for_a_token_and_differs_by_secret(sealer: Sealer) -> None:
    token = TOKEN.get_secret_value()
    assert sealer.index(token) == sealer.index(token)
    assert sealer.index(token) != sealer.index(token + "1")
    assert sealer.index(token) != Sealer(SecretStr("fedcba9876543210" * 2)).index(token)
