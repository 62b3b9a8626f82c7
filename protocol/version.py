"""Version of the protocol: the major changes only when frames change, the minor when messages grow."""

from __future__ import annotations

MAJOR = 1
MINOR = 1
VERSION = f"{MAJOR}.{MINOR}"
MAGIC = b"O3"
PREAMBLE = MAGIC + bytes([MAJOR])
