"""Registries that tests open."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from common.settings import Settings
from registry.service import Registry

SECRET = SecretStr("0123456789abcdef" * 2)


def build_registry(folder: Path, **settings: Any) -> Registry:
    """Give a registry with these settings, to be opened."""
    return Registry(Settings(data=folder, registry_port=0, **settings))


def open_registry(folder: Path, database_url: SecretStr | None) -> Registry:
    """Give a registry on this database, to be opened."""
    return build_registry(folder, database=database_url, secret_key=SECRET)
