"""New tokens, in TagoIO's forms. Each holds at least 122 random bits, so that guessing one is hopeless."""

import secrets
import uuid

from pydantic import SecretStr


def create_device_token() -> SecretStr:
    """Give a token by which a device's data is posted and read."""
    return SecretStr(str(uuid.uuid4()))


def create_network_token() -> SecretStr:
    """Give a token by which a network resolves serials."""
    return SecretStr(f"n-{uuid.uuid4()}")


def create_key_token() -> SecretStr:
    """Give an authorization key, as a gateway sends it."""
    return SecretStr(f"at{secrets.token_hex(16)}")


def create_profile_token() -> SecretStr:
    """Give a token by which a profile is administered."""
    return SecretStr(f"p-{uuid.uuid4()}")
