"""Codes that the model wrote, as meshes in Blender's frame and as pictures; also of the first few codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.coloring import colored
from backend.events import Pixels
from backend.failures import RequestError
from backend.geometry.canonical import Placement, UpAxis, fit, turn
from backend.geometry.composition import Composition
from backend.geometry.finishing import finish
from backend.geometry.mesh import Mesh
from backend.geometry.queries import FieldFunction, chunk_size
from backend.geometry.surface import EmptySurfaceError, extract_surface
from backend.image_tokenizer.interface import ImageTokenizer
from backend.plan import Plan
from backend.shape_tokenizer.interface import PrefixDecoder, ShapeTokenizer
from backend.sources import Sources, SourceShape

PREVIEW_CELLS = 40
# Specks below this share of the largest part's area are sampling noise, not parts. Edits leave larger crumbs:
# details of what was removed that its codes had lost.
ISLANDS, CRUMBS = 0.004, 0.015
SHARPENINGS = 4  # steps in which a picture becomes sharp


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A mesh in the model's canonical frame."""

    mesh: Mesh
    kept: NDArray[np.bool_] | None = None  # (n,) vertices where a source's surface stays as it was


class Shapes:
    """Meshes of a shape tokenizer's codes."""

    def __init__(self, tokenizer: ShapeTokenizer, device: torch.device) -> None:
        self.tokenizer, self.device = tokenizer, device
        self.chunk = chunk_size(device)

    @property
    def up_axis(self) -> UpAxis:
        return self.tokenizer.config.up_axis

    @property
    def previews(self) -> bool:
        return isinstance(self.tokenizer, PrefixDecoder)

    @torch.inference_mode()
    def warm(self) -> None:
        """A ball, by way of the tokenizer's field."""
        codes = torch.zeros(1, self.tokenizer.config.n_tokens, dtype=torch.long, device=self.device)
        latents = self.tokenizer.decode(codes)

        def ball(queries: Tensor) -> Tensor:
            sphere: Tensor = 0.5 - queries.norm(dim=-1)
            return sphere + 0 * self.tokenizer.field(latents, queries[None])[0].cpu()

        extract_surface(ball, cells=PREVIEW_CELLS, chunk=self.chunk)

    @torch.inference_mode()
    def surface(self, codes: Tensor, plan: Plan, sources: Sources, check: Callable[[], None]) -> Surface:
        """The finished surface of (n,) codes; where they leave a source shape as it is, so does the surface.

        `check` may raise to stop. Raises RequestError where the shape is empty.
        """
        request, after = plan.request, self._decoded(codes)
        edit = None if sources.shape is None else self._edited(sources.shape, after, check)
        try:
            mesh = extract_surface(edit or after, cells=plan.cells, chunk=self.chunk, check=check)
        except EmptySurfaceError as error:
            raise RequestError(
                "empty_shape", "The shape came out empty.", "Try another seed or other words."
            ) from error
        check()
        spared = None if edit is None else edit.weight(mesh.vertices) == 0  # a source's parts are no specks
        islands = ISLANDS if edit is None else CRUMBS
        smoothing = request.smoothing or 0.0
        mesh = finish(mesh, faces=request.faces, smoothing=smoothing, islands=islands, spared=spared)
        return Surface(mesh=mesh, kept=None if edit is None else edit.weight(mesh.vertices) == 0)

    def colored(self, surface: Surface, source: SourceShape | None, views: Mapping[str, Pixels]) -> Mesh:
        """The surface's mesh with colours from views of it and from its source, as far as there are any."""
        own = None if source is None or source.mesh is None else self._upright(source.mesh)
        mesh = self._upright(surface.mesh)
        if own is not None and views:  # edited in a smaller frame; views show it as large as any shape
            place = fit(mesh.vertices)
            own, mesh = (
                replace(m, vertices=place.to_canonical(m.vertices).astype(np.float32)) for m in (own, mesh)
            )
        return replace(surface.mesh, colors=colored(mesh, surface.kept, own, views).colors)

    def _upright(self, mesh: Mesh) -> Mesh:
        """Z up, as views show shapes."""
        return replace(mesh, vertices=turn(mesh.vertices, self.up_axis, "z").astype(np.float32))

    def _edited(self, source: SourceShape, after: FieldFunction, check: Callable[[], None]) -> Composition:
        own = None if source.field is None else source.distance
        return Composition(own, self._decoded(source.codes), after, chunk=self.chunk, check=check)

    @torch.inference_mode()
    def coarse(self, codes: Tensor, count: int, placement: Placement | None) -> Mesh | None:
        """The shape of the first `count` codes, at steps worth showing; None where there is none."""
        tokenizer = self.tokenizer
        if (
            not isinstance(tokenizer, PrefixDecoder)
            or count % tokenizer.preview_stride
            or count == len(codes)
        ):
            return None
        try:
            field = self._decoded(codes, count)
            return self.placed(extract_surface(field, cells=PREVIEW_CELLS, chunk=self.chunk), placement)
        except EmptySurfaceError:
            return None

    def _decoded(self, codes: Tensor, count: int | None = None) -> FieldFunction:
        """The field of (n,) codes, or of the first few."""
        ids, tokenizer = codes[None].to(self.device), self.tokenizer
        if count is None:
            latents = tokenizer.decode(ids)
        else:
            assert isinstance(tokenizer, PrefixDecoder)
            latents = tokenizer.decode_prefix(ids, count)
        return lambda queries: tokenizer.field(latents, queries.to(self.device)[None])[0]

    def placed(self, mesh: Mesh, placement: Placement | None) -> Mesh:
        """A canonical mesh in Blender's frame: in the world of `placement`, or at canonical size."""
        if placement is None:
            vertices = turn(mesh.vertices, self.up_axis, "z")
        else:
            vertices = placement.to_world(mesh.vertices)
        return replace(mesh, vertices=vertices.astype("float32"))


class Pictures:
    """Pictures of an image tokenizer's codes."""

    previews = True

    def __init__(self, tokenizer: ImageTokenizer, device: torch.device) -> None:
        self.tokenizer, self.device = tokenizer, device

    @torch.inference_mode()
    def picture(self, codes: Tensor) -> Pixels:
        return pixels(self.tokenizer.decode(codes[None].to(self.device))[0])

    @torch.inference_mode()
    def sharpening(self, codes: Tensor, count: int) -> Pixels | None:
        """The picture of the first `count` codes, at steps worth showing."""
        if count == len(codes) or count % max(1, len(codes) // SHARPENINGS):
            return None
        return pixels(self.tokenizer.decode_prefix(codes[None].to(self.device), count)[0])


def pixels(image: Tensor) -> Pixels:
    """(3, h, w) in [-1, 1] to opaque pixels (h, w, 4)."""
    values = ((image.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    alpha = torch.full_like(values[:1], 255)
    out: Pixels = torch.cat((values, alpha)).permute(1, 2, 0).contiguous().cpu().numpy()
    return out
