"""Where a backend listens and the key it proves itself with: pairing lines and connection files."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path

from .problems import ProblemError, local_problem

KEY_LENGTH = 40  # a CURVE public key in Z85
PAIRING = re.compile(
    r"omni123://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+):(?P<port>\d{1,5})/?#(?P<key>\S+)"
)
URL = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Endpoint:
    """url: tcp://host:port; server_key: Z85."""

    url: str
    server_key: str

    @property
    def host(self) -> str:
        match = URL.fullmatch(self.url)
        return match["host"].strip("[]") if match else ""

    @property
    def is_loopback(self) -> bool:
        """Literal addresses only: a name could resolve to anything."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_pairing(text: str) -> Endpoint:
    """`omni123://host:port/#key`, as a server prints it. Raises ProblemError("bad_endpoint")."""
    match = PAIRING.fullmatch(text.strip())
    if match is None or not 0 < int(match["port"]) < 65536 or len(match["key"]) != KEY_LENGTH:
        raise ProblemError(local_problem("bad_endpoint"))
    return Endpoint(f"tcp://{match['host']}:{match['port']}", match["key"])


def read_connection_file(path: Path) -> Endpoint | None:
    """What a local backend wrote about itself; None while there is nothing (or nothing usable) to read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        url, key = values["url"], values["server_key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not (isinstance(url, str) and isinstance(key, str) and URL.fullmatch(url) and len(key) == KEY_LENGTH):
        return None
    endpoint = Endpoint(url, key)
    return endpoint if endpoint.is_loopback else None
