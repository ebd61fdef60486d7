"""What `sluice run --demo` tells people to go on with."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.demo import write_invitation
from common.settings import Settings


@pytest.mark.parametrize(
    ("settings", "origin"),
    [
        (Settings(), "http://127.0.0.1"),
        (Settings(host="0.0.0.0"), "http://127.0.0.1"),  # noqa: S104 - nothing is bound
        (Settings(host="::1"), "http://[::1]"),
        (Settings(tls_cert=Path("cert.pem"), tls_key=Path("key.pem")), "https://127.0.0.1"),
    ],
)
def test_the_addresses_are_those_that_the_roles_listen_on(settings: Settings, origin: str) -> None:
    told = write_invitation(settings, SecretStr("at-demo"))
    assert f"{origin}:8080/uplink" in told
    assert told.endswith(f"{origin}:8082/")
