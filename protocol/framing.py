"""Messages to frames and back: [b"O3" + major] [JSON header] [0..4 binary frames].

Sizes are checked before anything is decoded or copied; whatever comes in, only ProtocolError comes out.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .decoding import HeaderDecoder, decode_header
from .errors import ProtocolError
from .limits import DEFAULT_LIMITS, Limits
from .messages import FRAMES, Chunk, Message, Preview, Put, tags
from .version import MAGIC, MAJOR, PREAMBLE

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Packet:
    """A message and its binary frames (views of what was received, not copies)."""

    message: Message
    frames: tuple[Buffer, ...] = ()


def encode(message: Message, frames: Sequence[Buffer] = (), limits: Limits = DEFAULT_LIMITS) -> list[Buffer]:
    """Raises ProtocolError when the message is larger than the other side would accept."""
    header = json.dumps(
        {**tags(message), **_present(dataclasses.asdict(message))},
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    ).encode("utf-8")
    parts: list[Buffer] = [PREAMBLE, header, *frames]
    _check_sizes(parts, limits)
    _check_frames(message, frames)
    return parts


def decode(
    parts: Sequence[Buffer], limits: Limits = DEFAULT_LIMITS, header_decoder: HeaderDecoder = decode_header
) -> Packet:
    """Raises ProtocolError, and nothing else, for whatever a peer may send."""
    _check_preamble(parts)
    _check_sizes(parts, limits)
    message = header_decoder(bytes(parts[1]))
    frames = tuple(parts[2:])
    _check_frames(message, frames)
    return Packet(message, frames)


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that are None, at every depth of message (not inside free-form values)."""
    return {name: _present(v) if isinstance(v, dict) else v for name, v in fields.items() if v is not None}


def _check_preamble(parts: Sequence[Buffer]) -> None:
    first = bytes(parts[0][:4]) if parts else b""
    if len(first) != len(PREAMBLE) or not first.startswith(MAGIC):
        raise ProtocolError("bad_frame", "A message does not start as this protocol's messages do.")
    if first != PREAMBLE:
        raise ProtocolError(
            "version", f"One side speaks version {first[-1]} of the protocol, the other version {MAJOR}."
        )
    if len(parts) < 2:
        raise ProtocolError("bad_frame", "A message has no header.")


def _check_sizes(parts: Sequence[Buffer], limits: Limits) -> None:
    if len(parts) - 2 > limits.frames:
        raise ProtocolError("too_big", f"A message has {len(parts) - 2} frames of {limits.frames} allowed.")
    if len(parts[1]) > limits.header:
        raise ProtocolError("too_big", f"A header has {len(parts[1])} bytes of {limits.header} allowed.")
    for frame in parts[2:]:
        if len(frame) > limits.frame:
            raise ProtocolError("too_big", f"A frame has {len(frame)} bytes of {limits.frame} allowed.")


def _check_frames(message: Message, frames: Sequence[Buffer]) -> None:
    least, most = FRAMES.get(type(message), (0, 0))
    if isinstance(message, Preview):
        least = most = int(message.file is None)
    if not least <= len(frames) <= most:
        raise ProtocolError("bad_frame", f"A {tags(message)['type']} message has {len(frames)} frames.")
    if isinstance(message, (Put, Chunk)) and message.off + len(frames[0]) > message.total:
        raise ProtocolError("bad_frame", "A chunk reaches beyond the end of its file.", field="off")
