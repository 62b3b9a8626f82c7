"""CURVE key pairs and other private files: written once, readable by their owner only, refused otherwise."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import zmq

PUBLIC_KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85


class KeyFileError(ValueError):
    """A key file is missing, malformed, or open to others."""


@dataclass(frozen=True)
class KeyPair:
    """Z85 text. The secret never leaves its file and this object."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair({fingerprint(self.public)})"


def new_key_pair() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode("ascii"), secret.decode("ascii"))


def fingerprint(public: str) -> str:
    """Eight characters that name a key in logs and lists."""
    return hashlib.sha256(public.encode("ascii")).hexdigest()[:8]


def check_public_key(text: str) -> str:
    if not PUBLIC_KEY.fullmatch(text):
        raise KeyFileError("A public key is 40 characters of Z85.")
    return text


def private_folder(path: Path) -> Path:
    """Made with mode 0700. Raises KeyFileError when others may enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_open(path, "folder")
    return path


def write_private(path: Path, text: str, *, replace: bool = False) -> None:
    """Writes a file of mode 0600 in one step, so that no reader sees a part of it."""
    target = path.with_name(f".{path.name}.{os.getpid()}.tmp") if replace else path
    target.unlink(missing_ok=True) if replace else None
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    if replace:
        os.replace(target, path)


def save_key_pair(path: Path, pair: KeyPair) -> None:
    """Raises FileExistsError rather than overwrite a key."""
    private_folder(path.parent)
    write_private(path, json.dumps({"public": pair.public, "secret": pair.secret}) + "\n")


def load_key_pair(path: Path) -> KeyPair:
    """Raises KeyFileError when the file is missing, open to others, or not a key pair."""
    if not path.is_file():
        raise KeyFileError(f"There is no key file {path}.")
    _refuse_open(path, "file")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        pair = KeyPair(raw["public"], raw["secret"])
        matches = zmq.curve_public(pair.secret.encode()) == pair.public.encode()
    except (ValueError, KeyError, TypeError, AttributeError, zmq.ZMQError) as error:
        raise KeyFileError(f"{path} is not a key file: delete it to have a new one made.") from error
    if not matches:
        raise KeyFileError(f"The two halves of the key in {path} do not belong together.")
    return pair


def ensure_key_pair(path: Path) -> KeyPair:
    """The pair in `path`, made on first use."""
    private_folder(path.parent)
    if not path.exists():
        save_key_pair(path, new_key_pair())
    return load_key_pair(path)


def _refuse_open(path: Path, what: str) -> None:
    if os.name != "posix":  # Windows: the user's profile folder is private by its access list
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        fix = "700" if what == "folder" else "600"
        raise KeyFileError(f"Others may read the {what} {path}: run chmod {fix} on it.")
