"""The seats of the loop: who draws, who cuts out, who makes the shape (paper, section 3.5, steps 2 to 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.events import Pixels
from training.data.assets.reading import RawFile


@dataclass(frozen=True, kw_only=True)
class PictureRequest:
    """One picture to draw: the object, and how it is to be seen."""

    prompt: str  # in standard form
    viewpoint: str  # in words, such as "front view"
    lighting: str
    framing: str
    view: str | None  # of backend.sequence.VIEWS, where the viewpoint is one of those
    seed: int

    @property
    def words(self) -> str:
        """The prompt with everything that has to be said in words."""
        return ", ".join(part for part in (self.prompt, self.viewpoint, self.lighting, self.framing) if part)


@dataclass(frozen=True, kw_only=True)
class ShapeRequest:
    """One shape to make from a cut-out picture."""

    picture: Pixels  # square, alpha outside the object
    prompt: str  # what it shows
    view: str | None  # from where, if known
    seed: int


class TextToImage(Protocol):
    """Draws pictures; the same request gives the same picture."""

    def picture(self, request: PictureRequest) -> Pixels:
        """Raises Rejected where this prompt cannot be drawn."""
        ...


class ImageTo3D(Protocol):
    """Makes shapes; the same request gives the same shape."""

    def shape(self, request: ShapeRequest) -> RawFile:
        """In Blender's frame. Raises Rejected where nothing comes of this picture."""
        ...


class Matting(Protocol):
    """Cuts the object out."""

    def opacity(self, picture: Pixels) -> NDArray[np.float32]:
        """(h, w) 0..1. Raises Rejected where no object can be told from its background."""
        ...
