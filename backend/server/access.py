"""Who may connect: the allow-list of public keys, and the ZAP handler that asks it at every handshake."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import zmq
from zmq.utils import z85

from .keys import KeyFileError, check_public_key, fingerprint, write_private

log = logging.getLogger(__name__)

AUTHORIZED_KEYS = "authorized_keys.toml"


def read_authorized(path: Path) -> dict[str, str]:
    """name -> public key. Raises KeyFileError naming the entry at fault."""
    if not path.exists():
        return {}
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("keys", {})
        return {name: check_public_key(entry["public"]) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyFileError(f"{path} is not a list of keys ({error!s:.100}).") from error


def write_authorized(path: Path, keys: dict[str, str]) -> None:
    lines = ["# Who may use this backend; changes count at once.", ""]
    for name, public in sorted(keys.items()):
        lines += [f'[keys."{name}"]', f'public = "{public}"', ""]
    write_private(path, "\n".join(lines), replace=True)


def read_key_file(path: Path) -> dict[str, str]:
    """Lines of `<public key> [name]`, as the add-on writes for the backend it starts; name -> public key."""
    keys = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            public, _, name = line.strip().partition(" ")
            keys[name.strip() or "local"] = check_public_key(public)
    return keys


class AllowList:
    """Public key -> name, from files that are read again when they change."""

    def __init__(self, *, fixed: dict[str, str], authorized: Path, key_files: Sequence[Path] = ()) -> None:
        """`fixed`: public key -> name. Raises KeyFileError or OSError when a file cannot be read now."""
        self._fixed = fixed
        self._readers = {authorized: read_authorized, **dict.fromkeys(key_files, read_key_file)}
        self._names: dict[str, str] = {}
        self._stamps = self._current_stamps()
        self._names = self._read()

    def name_of(self, public: str) -> str | None:
        """None: this key may not connect."""
        stamps = self._current_stamps()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._names = self._read()
            except (KeyFileError, OSError):
                log.exception("keys not read again; the list of before stays in force")
        return self._names.get(public)

    def _read(self) -> dict[str, str]:
        names = dict(self._fixed)
        for path, read in self._readers.items():
            names |= {public: name for name, public in read(path).items()}
        return names

    def _current_stamps(self) -> list[tuple[int, int] | None]:
        return [_stamp(path) for path in self._readers]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def endpoint(socket: zmq.Socket[bytes]) -> str:
    """tcp://host:port of a bound socket."""
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")


class ZapHandler:
    """ZeroMQ's authentication protocol (RFC 27) for CURVE, answered in the gateway's own loop.

    The sockets set ZAP_ENFORCE_DOMAIN, so that without this handler nobody gets in.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")
        # domain -> (public key -> allowed?)
        self.domains: dict[str, Callable[[str], bool]] = {}

    def answer(self) -> None:
        """Answers one pending handshake; the client's key becomes the User-Id of its messages."""
        request = self.socket.recv_multipart(zmq.DONTWAIT)
        _version, request_id, domain, address, _identity, mechanism, *credentials = request
        public, allowed = "", False
        if mechanism == b"CURVE" and len(credentials) == 1 and len(credentials[0]) == 32:
            public = z85.encode(credentials[0]).decode("ascii")
            check = self.domains.get(domain.decode("ascii", "replace"))
            allowed = check is not None and check(public)
        if not allowed:
            who = fingerprint(public) if public else mechanism.decode("ascii", "replace")
            log.warning("refused a connection from %s (%s)", address.decode("ascii", "replace"), who)
        status, text = (b"200", b"OK") if allowed else (b"400", b"key unknown")
        self.socket.send_multipart([b"1.0", request_id, status, text, public.encode(), b""])

    def close(self) -> None:
        self.socket.close()
