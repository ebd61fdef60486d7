"""What viewers show to a process: the service token, or else a file that only this machine's operator can read."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr


class EventTokenError(Exception):
    """There is no token that could be shown."""


def find_token(queue: Path, chosen: SecretStr | None) -> SecretStr | None:
    """Give the token that viewers have to show: the chosen one, else that of the file beside the queue."""
    if chosen is not None:
        return chosen
    try:
        text = _file_of(queue).read_text().strip()
    except OSError:
        return None
    return SecretStr(text) if text else None


def make_token(queue: Path, chosen: SecretStr | None) -> SecretStr:
    """Give the token to show; where none is chosen, the file beside the queue is made, for its owner alone.

    Who may write there could read the queue itself. Raises :class:`EventTokenError`.
    """
    file = _file_of(queue)
    if chosen is None and not queue.exists():
        raise EventTokenError(f"there is no queue at {queue}: run this where it is, or set SLUICE_DIRECTORY_TOKEN")
    try:
        if chosen is None:
            _create(file)
    except FileExistsError:
        pass
    except OSError as error:
        raise EventTokenError(
            f"{file} cannot be made ({error.strerror}): run this where the queue is, or set SLUICE_DIRECTORY_TOKEN"
        ) from error
    token = find_token(queue, chosen)
    if token is None:
        raise EventTokenError(f"{file} cannot be read: run this as its owner, or set SLUICE_DIRECTORY_TOKEN")
    return token


def _file_of(queue: Path) -> Path:
    return queue.with_name(f"{queue.name}-events")


def _create(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{secrets.token_hex(32)}\n")
