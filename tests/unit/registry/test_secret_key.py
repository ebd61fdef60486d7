from pathlib import Path

import pytest
from pydantic import SecretStr

from registry.secret_key import FILE_NAME, SecretKeyError, load_secret_key

CONFIGURED = SecretStr("0123456789abcdef" * 2)


def test_the_first_start_writes_a_secret_that_only_its_owner_reads(tmp_path: Path) -> None:
    secret = load_secret_key(tmp_path, None, database_exists=False, shared=False)
    file = tmp_path / FILE_NAME
    assert file.read_text().strip() == secret.get_secret_value()
    assert file.stat().st_mode & 0o777 == 0o600


def test_every_later_start_reads_the_same(tmp_path: Path) -> None:
    first = load_secret_key(tmp_path, None, database_exists=False, shared=False)
    assert load_secret_key(tmp_path, None, database_exists=True, shared=False) == first


def test_two_registries_have_two_secrets(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = load_secret_key(tmp_path, None, database_exists=False, shared=False)
    assert load_secret_key(tmp_path / "other", None, database_exists=False, shared=False) != first


def test_a_configured_secret_counts_and_leaves_no_file(tmp_path: Path) -> None:
    assert load_secret_key(tmp_path, CONFIGURED, database_exists=False, shared=False) == CONFIGURED
    assert list(tmp_path.iterdir()) == []


def test_a_short_secret_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SecretKeyError, match="at least 32 characters") as refused:
        load_secret_key(tmp_path, SecretStr("password"), database_exists=False, shared=False)
    assert "'password'" not in str(refused.value)


def test_a_secret_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    load_secret_key(tmp_path, None, database_exists=False, shared=False)
    (tmp_path / FILE_NAME).chmod(0o644)
    with pytest.raises(SecretKeyError, match=r"0644.*chmod 600"):
        load_secret_key(tmp_path, None, database_exists=True, shared=False)


def test_a_missing_secret_is_not_made_anew_for_an_old_database(tmp_path: Path) -> None:
    with pytest.raises(SecretKeyError, match="restore it"):
        load_secret_key(tmp_path, None, database_exists=True, shared=False)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    load_secret_key(tmp_path, None, database_exists=False, shared=False)
    (tmp_path / FILE_NAME).write_text("0123")
    with pytest.raises(SecretKeyError, match="cut short"):
        load_secret_key(tmp_path, None, database_exists=True, shared=False)
