"""What one backend is started with."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from protocol.limits import Limits

from .access import AUTHORIZED_KEYS


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    weights: Path
    state_dir: Path  # keys, logs, connection.json
    listen: str = "127.0.0.1:0"  # host:port; port 0 is a free one
    connection_file: Path | None = None  # default: in state_dir
    authorized_keys: Path | None = None  # default: in state_dir
    allow_key_files: tuple[Path, ...] = ()  # public keys of clients on this machine
    exit_with_parent: int | None = None  # process id
    threads: int | None = None  # of the model; default: the machine's
    pipeline: str = "backend.pipeline:Pipeline.load"  # module:callable, called with the weights' folder
    device: str = "auto"  # auto, cpu or cuda
    compute: str = "auto"  # how the transformer's weights are held: auto, float32, bfloat16 or int8
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.address()
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, not {self.threads}")
        if not re.fullmatch(r"[\w.]+:[\w.]+", self.pipeline):
            raise ValueError(f"pipeline must be module:callable, not {self.pipeline!r}")

    def address(self) -> tuple[str, int]:
        """(host, port). Raises ValueError when `listen` is not host:port."""
        host, colon, port = self.listen.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"listen must be host:port, not {self.listen!r}")
        return host.strip("[]"), int(port)

    def is_loopback(self) -> bool:
        host = self.address()[0]
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def options(self) -> dict[str, str]:
        """What is not left to the pipeline."""
        chosen = {"device": self.device, "compute": self.compute}
        return {name: value for name, value in chosen.items() if value != "auto"}

    @property
    def connection_path(self) -> Path:
        return self.connection_file or self.state_dir / "connection.json"

    @property
    def authorized_path(self) -> Path:
        return self.authorized_keys or self.state_dir / AUTHORIZED_KEYS

    @property
    def keys_dir(self) -> Path:
        return self.state_dir / "keys"
