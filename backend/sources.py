"""What the user gives, as the codes that stand in a sequence's prefix."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from backend.events import Pixels, Request
from backend.failures import RequestError
from backend.geometry.canonical import BOUNDS, EDITED_SIDE, LONGEST_SIDE, Placement, fit
from backend.geometry.labels import MeshField
from backend.geometry.mesh import Mesh
from backend.geometry.skin import skin
from backend.image_tokenizer.interface import ImageTokenizer
from backend.plan import CELLS
from backend.sequence import Layout
from backend.shape_tokenizer.interface import ShapeTokenizer
from backend.tasks import TASKS

BACKGROUND = (255, 255, 255)  # under transparent pixels, as in training
# What the grid of a surface can show at least, in its cells: walls of solids, and what stands for sheets.
_THINNEST, _SHEET = 1.5, 2.0


@dataclass(frozen=True, kw_only=True)
class SourceShape:
    """The shape in a prefix."""

    codes: Tensor  # int64 (n,)
    mesh: Mesh | None = None  # in the canonical frame; None: its codes are all there is
    field: MeshField | None = None  # of the mesh

    def distance(self, queries: Tensor) -> Tensor:
        """(P,) of canonical points (P, 3), positive inside, as far as the mesh knows."""
        assert self.field is not None
        return torch.from_numpy(-self.field.distance(queries.numpy()))


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Codes of the prefix segments, and where a source mesh stands in its own world."""

    codes: list[Tensor]  # int64 (n,) of each segment, in order
    placement: Placement | None = None
    shape: SourceShape | None = None


class SourceReader:
    """Encodes meshes and images with a model's tokenizers; either may be missing where no task needs it."""

    def __init__(
        self, shapes: ShapeTokenizer | None, images: ImageTokenizer | None, device: torch.device
    ) -> None:
        self.shapes, self.images, self.device = shapes, images, device

    def read(self, request: Request, layout: Layout, cells: int = CELLS) -> Sources:
        """`cells` along one axis of the surface that a field of the mesh will be read with.

        Raises RequestError for a mesh without surface, or codes of another model.
        """
        codes, placement, shape, images = [], None, None, iter(request.images)
        for segment in layout.prefix:
            if segment.modality == "image":
                codes.append(self._image(next(images)))
                continue
            if request.tokens is not None:
                shape = SourceShape(codes=self._tokens(request.tokens))
            else:
                assert request.mesh is not None, "the plan was checked"
                side = EDITED_SIDE if TASKS[request.task].stage == "edit" else LONGEST_SIDE
                shape, placement = self.shape(request.mesh, side, cells)
            codes.append(shape.codes)
        return Sources(codes=codes, placement=placement, shape=shape)

    def _tokens(self, tokens: NDArray[np.uint16]) -> Tensor:
        assert self.shapes is not None, "the plan was checked"
        config = self.shapes.config
        if tokens.shape != (config.n_tokens,) or int(tokens.max(initial=0)) >= config.n_codes:
            raise RequestError(
                "bad_tokens",
                "The object's tokens are another model's.",
                "Send its mesh instead, or connect to the model that made it.",
            )
        return torch.from_numpy(tokens.astype(np.int64))

    @torch.inference_mode()
    def shape(self, mesh: Mesh, side: float, cells: int = CELLS) -> tuple[SourceShape, Placement]:
        """The same mesh always gives the same codes: those of its skin, as in training.

        Its longest side becomes `side` in the canonical frame. RequestError for a mesh without surface.
        """
        assert self.shapes is not None, "the plan was checked"
        config, step = self.shapes.config, 2 * BOUNDS / cells
        try:
            placement = fit(mesh.vertices[np.unique(mesh.faces)], config.up_axis, side=side)
            own = replace(mesh, vertices=placement.to_canonical(mesh.vertices).astype(np.float32))
            field = MeshField(
                own.vertices,
                own.faces,
                sheet_thickness=_SHEET * step,
                min_thickness=_THINNEST * step,
            )
        except ValueError as error:
            raise RequestError(
                "bad_mesh", f"The source has no surface: {error}.", "Select an object with faces."
            ) from error
        outer = skin(field, config.n_points, np.random.default_rng(0))
        pair = (torch.from_numpy(values).to(self.device)[None] for values in (outer.points, outer.normals))
        return SourceShape(codes=self.shapes.encode(*pair)[0].cpu(), mesh=own, field=field), placement

    @torch.inference_mode()
    def _image(self, pixels: Pixels) -> Tensor:
        assert self.images is not None, "the plan was checked"
        square = prepared(pixels, self.images.config.size)
        return self.images.encode(square.to(self.device)[None])[0].cpu()


def prepared(pixels: Pixels, size: int) -> Tensor:
    """(3, size, size) in [-1, 1]: on the background, padded to a square, resized with a good filter."""
    image = Image.fromarray(pixels, "RGBA")
    side = max(image.size)
    square = Image.new("RGBA", (side, side), (*BACKGROUND, 255))
    square.alpha_composite(image, ((side - image.width) // 2, (side - image.height) // 2))
    small = square.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    values = torch.from_numpy(np.asarray(small, np.float32).copy())
    return (values / 127.5 - 1).permute(2, 0, 1)
