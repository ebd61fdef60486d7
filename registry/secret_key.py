"""The secret under which the registry's tokens are kept: from the settings, else a file beside the database."""

import os
import secrets
import stat
from pathlib import Path

from pydantic import SecretStr

FILE_NAME = "secret.key"

LEAST_CHARACTERS = 32
"""Of a secret from the settings: it is used as it is, and not stretched as a password would have to be."""

_MAKE_ONE = "make one with: python -c 'import secrets; print(secrets.token_hex(32))'"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SecretKeyError(Exception):
    """The secret is missing, weak, readable by others, or not the one that the database was written under."""


def load_secret_key(folder: Path, configured: SecretStr | None, *, database_exists: bool, shared: bool) -> SecretStr:
    """Give the secret: the configured one, else that of the file, which is created before the first database is.

    A database that is shared with other registries needs one that is configured, for it has to be the same for all.

    Raises :class:`SecretKeyError` and OSError.
    """
    if configured is not None:
        if len(configured.get_secret_value()) < LEAST_CHARACTERS:
            raise SecretKeyError(f"SLUICE_SECRET_KEY needs at least {LEAST_CHARACTERS} characters; {_MAKE_ONE}")
        return configured
    if shared:
        raise SecretKeyError(
            "registries that share a database share its secret: set SLUICE_SECRET_KEY to the same at each of them; "
            f"{_MAKE_ONE}"
        )
    file = folder / FILE_NAME
    if file.exists():
        return _read(file)
    if database_exists:
        raise SecretKeyError(
            f"{file} is missing, and without it no token of the database can be read; "
            "restore it, or set SLUICE_SECRET_KEY to what the database was written under"
        )
    return _create(file)


def _read(file: Path) -> SecretStr:
    mode = file.stat().st_mode
    if os.name == "posix" and mode & _OTHERS:
        raise SecretKeyError(f"{file} can be read by others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {file}")
    secret = SecretStr(file.read_text().strip())
    if len(secret.get_secret_value()) < LEAST_CHARACTERS:
        raise SecretKeyError(
            f"{file} is no secret key, or was cut short; restore it, or delete it if there is no database beside it yet"
        )
    return secret


def _create(file: Path) -> SecretStr:
    secret = secrets.token_hex(32)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{secret}\n")
        stream.flush()
        os.fsync(stream.fileno())  # a database whose key was lost with the power is lost too
    return SecretStr(secret)
