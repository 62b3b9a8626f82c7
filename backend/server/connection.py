"""connection.json: how a client on this machine finds a running backend."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from protocol.version import VERSION

from .keys import write_private


@dataclass(frozen=True, kw_only=True)
class Connection:
    url: str  # tcp://host:port
    server_key: str  # Z85
    pid: int
    epoch: str
    protocol: str = VERSION

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, json.dumps(asdict(self)) + "\n", replace=True)

    @classmethod
    def read(cls, path: Path) -> Connection:
        """Raises ValueError when the file is not a connection, OSError when it cannot be read."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        try:
            return cls(**{name: raw[name] for name in ("url", "server_key", "pid", "epoch", "protocol")})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a connection file: start the backend again.") from error

    def remove(self, path: Path) -> None:
        """Unless another backend has written its own there."""
        try:
            mine = Connection.read(path) == self
        except (OSError, ValueError):
            return
        if mine:
            path.unlink(missing_ok=True)
