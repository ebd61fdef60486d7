"""Registries that tests open."""

from pathlib import Path

from pydantic import SecretStr

from registry.service import Registry

SECRET = SecretStr("0123456789abcdef" * 2)


def open_registry(folder: Path, database_url: SecretStr | None) -> Registry:
    """Give a registry on this database, to be opened."""
    return Registry(folder, port=0, database=database_url, secret_key=SECRET)
