"""Keys are private, the allow-list is read again when it changes, and mistakes have sentences."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.server.access import AllowList, read_key_file, write_authorized
from backend.server.keys import (
    KeyFileError,
    ensure_key_pair,
    load_key_pair,
    new_key_pair,
    save_key_pair,
)

posix = pytest.mark.skipif(os.name != "posix", reason="file modes")


def test_key_pair_survives_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.key"
    pair = ensure_key_pair(path)
    assert ensure_key_pair(path) == pair
    assert pair.secret not in repr(pair)
    with pytest.raises(FileExistsError):
        save_key_pair(path, new_key_pair())


@posix
def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.key"
    old = os.umask(0)
    try:
        ensure_key_pair(path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@posix
def test_keys_open_to_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.key"
    ensure_key_pair(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key_pair(path)
    path.chmod(0o600)
    path.parent.chmod(0o755)
    with pytest.raises(KeyFileError, match="chmod 700"):
        ensure_key_pair(path)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"public": 1, "secret": 2}', '{"public": "a", "secret": "b"}', "[]"]
)
def test_malformed_key_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not a key file"):
        load_key_pair(path)


def test_halves_of_different_pairs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.key"
    save_key_pair(path, type(new_key_pair())(new_key_pair().public, new_key_pair().secret))
    with pytest.raises(KeyFileError, match="do not belong together"):
        load_key_pair(path)


def test_allow_list_follows_its_files(tmp_path: Path) -> None:
    authorized, lines = tmp_path / "authorized_keys.toml", tmp_path / "blender.pub"
    anna, blender, own = (new_key_pair().public for _ in range(3))
    lines.write_text(f"{blender} blender\n\n")
    allowed = AllowList(fixed={own: "local"}, authorized=authorized, key_files=[lines])
    assert [allowed.name_of(key) for key in (own, blender, anna)] == ["local", "blender", None]
    write_authorized(authorized, {"anna": anna})
    assert allowed.name_of(anna) == "anna"
    write_authorized(authorized, {})
    assert allowed.name_of(anna) is None


def test_a_list_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    authorized = tmp_path / "authorized_keys.toml"
    anna = new_key_pair().public
    write_authorized(authorized, {"anna": anna})
    allowed = AllowList(fixed={}, authorized=authorized)
    authorized.write_text("[keys.anna]\npublic = 'short'\n")
    assert allowed.name_of(anna) == "anna"
    with pytest.raises(KeyFileError, match="not a list of keys"):
        AllowList(fixed={}, authorized=authorized)


def test_key_file_without_a_name_is_the_local_user(tmp_path: Path) -> None:
    key = new_key_pair().public
    (tmp_path / "k").write_text(key)
    assert read_key_file(tmp_path / "k") == {"local": key}
