"""What captions are asked of: any model that reads a conversation with pictures and answers in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray


class CaptionerError(RuntimeError):
    """A model that cannot be asked (unreachable, refused, not there), in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn. A conversation begins with the system's and then alternates."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[NDArray[np.uint8], ...] = ()  # each (h, w, 3) sRGB, shown before the text


class VisionLanguageModel(Protocol):
    """One captioner, loaded or connected."""

    @property
    def name(self) -> str: ...

    def answer(self, conversation: Sequence[Message], schema: Mapping[str, Any]) -> str:
        """The next assistant's turn, which should be JSON of this schema. Raises CaptionerError."""
        ...
