"""This computer's CURVE key pair, kept in one file that only its owner can read."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import zmq

from .endpoint import KEY_LENGTH


@dataclass(frozen=True)
class KeyPair:
    """Both in Z85. `secret` never leaves the file and the socket."""

    public: str
    secret: str

    def __repr__(self) -> str:  # keeps the secret out of logs
        return f"KeyPair({self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """The eight characters by which `omni123 keys list` names this key on a server."""
        return hashlib.sha256(self.public.encode("ascii")).hexdigest()[:8]


def load_or_create(folder: Path) -> KeyPair:
    """The pair in `folder`, made on first use. An unreadable file is replaced: pairing then starts again."""
    path = folder / "client_key.json"
    try:
        values = json.loads(path.read_text(encoding="ascii"))
        pair = KeyPair(str(values["public"]), str(values["secret"]))
        if len(pair.public) == len(pair.secret) == KEY_LENGTH:
            return pair
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no key yet, or not one of ours
    public, secret = zmq.curve_keypair()
    pair = KeyPair(public.decode("ascii"), secret.decode("ascii"))
    folder.mkdir(parents=True, exist_ok=True)
    _write_private(path, json.dumps({"public": pair.public, "secret": pair.secret}))
    return pair


def _write_private(path: Path, text: str) -> None:
    """Atomic, and 0600 from the first byte on."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
        out.write(text)
    os.replace(draft, path)
