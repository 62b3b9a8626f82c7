"""A request in, events out: text encoder, transformer, tokenizer and surface extraction. No sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from backend import checkpoint
from backend.engine import Engine
from backend.events import Coarse, PipelineEvent, Progress, Request, Result
from backend.failures import Cancelled, RequestError, WeightsError
from backend.geometry.canonical import UpAxis, turn
from backend.geometry.mesh import Mesh
from backend.geometry.surface import EmptySurfaceError, extract_surface, remove_islands
from backend.model.text import TextEncoder, text_encoder
from backend.model.transformer import DualStreamTransformer
from backend.models import REGISTRIES
from backend.sampling import SamplingSettings
from backend.sequence import Layout, Segment
from backend.shape_tokenizer.interface import PrefixDecoder, ShapeTokenizer

CELLS = 96  # surface grid along one axis, where the request names none
MAX_CELLS = 512
PREVIEW_CELLS = 40
# Specks below this share of the largest part's area are sampling noise, not parts.
ISLAND = 0.004
# Field queries at once: keeps memory flat and a cancel quick.
CHUNK = 1 << 16


class Pipeline:
    """One loaded model, serving one request at a time."""

    jobs_at_once = 1

    def __init__(
        self,
        info: checkpoint.ModelInfo,
        transformer: DualStreamTransformer,
        tokenizer: ShapeTokenizer,
        text: TextEncoder,
        device: torch.device,
    ) -> None:
        self.model_name = info.preset
        self.defaults = SamplingSettings(**info.sampling)
        self.transformer, self.tokenizer, self.text, self.device = transformer, tokenizer, text, device
        self.engine = Engine(transformer, device)

    @classmethod
    def load(cls, weights: Path, device: str = "cpu") -> Pipeline:
        """The model of a folder. Raises WeightsError with one sentence that says what to do."""
        model = checkpoint.load(Path(weights), REGISTRIES, device=device)
        if missing := {"transformer", "shape_tokenizer"} - model.modules.keys():
            raise WeightsError(
                f"{weights} lacks {', '.join(sorted(missing))}; choose a complete model folder."
            )
        transformer = cast(DualStreamTransformer, model.modules["transformer"])
        tokenizer = cast(ShapeTokenizer, model.modules["shape_tokenizer"])
        try:
            text = text_encoder(model.info.text_encoder, Path(weights))
        except ValueError as error:
            raise WeightsError(f"Prompts cannot be read: {error}.") from error
        try:
            if transformer.config.embed_codes == "projected":
                transformer.set_codebooks(tokenizer.codebook(), None)
            return cls(model.info, transformer, tokenizer, text, torch.device(device))
        except (ValueError, TypeError) as error:
            raise WeightsError(
                f"{weights} does not fit together: {error}. Copy the model folder again."
            ) from error

    def capabilities(self) -> dict[str, Any]:
        """What this model can do, for `welcome`."""
        return {
            "tasks": ["text_to_shape"],
            "preview": isinstance(self.tokenizer, PrefixDecoder),
            "shape_tokens": self.tokenizer.config.n_tokens,
            "guidance": self.defaults.guidance,
            "temperature": self.defaults.temperature,
            "top_p": self.defaults.top_p,
            "cells": CELLS,
        }

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        """See backend.jobs.RunsJobs."""
        return self.run(request, cancelled)

    def advance(self) -> None:
        """A run takes its own decoding steps."""

    def run(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent]:
        """Events of one request, `Result` last. Raises Cancelled, or RequestError with what to do."""
        settings, cells = self._settings(request), _cells(request)
        clock = _Clock()
        yield Progress(stage="reading prompt", done=0, total=1)
        text = self.text.encode([request.prompt])
        clock.lap("reading prompt")
        layout = Layout(targets=(Segment("shape"),))
        chain = self.engine.start(text, layout, [], settings, prompt_key=request.prompt)
        (ids,) = chain.codes
        try:
            while not chain.finished:
                _check(cancelled)
                self.engine.advance()
                yield Progress(
                    stage="shape tokens",
                    done=chain.index,
                    total=len(ids),
                    seconds_left=clock.left(chain.index, len(ids)),
                )
                preview = self._preview(ids, chain.index)
                if preview is not None:
                    yield Coarse(mesh=preview)
        finally:
            self.engine.stop(chain)
        clock.lap("shape tokens")
        yield Progress(stage="surface", done=0, total=1)
        try:
            mesh = self._mesh(self.tokenizer.decode(ids[None]), cells, partial(_check, cancelled))
        except EmptySurfaceError as error:
            raise RequestError(
                "empty_shape", "The shape came out empty.", "Try another seed or other words."
            ) from error
        clock.lap("surface")
        yield Result(mesh=mesh, tokens=ids.cpu().numpy().astype(np.uint16), seconds=clock.laps)

    def _settings(self, request: Request) -> SamplingSettings:
        if request.task != "text_to_shape":
            raise RequestError(
                "unknown_task",
                f"This model cannot do {request.task!r}.",
                "Choose a task it offers: text_to_shape.",
            )
        if not request.prompt.strip():
            raise RequestError(
                "empty_prompt", "The prompt is empty.", "Type what to make, such as: a round table."
            )
        length, limit = self.text.count_tokens(request.prompt), self.text.max_tokens
        if length > limit:
            raise RequestError(
                "too_long",
                f"The prompt has {length} word pieces and {limit} fit.",
                "Shorten it to one sentence.",
            )
        wanted = {
            name: getattr(request, name)
            for name in ("guidance", "temperature", "top_p")
            if getattr(request, name) is not None
        }
        try:
            return replace(self.defaults, seed=request.seed, **wanted)
        except ValueError as error:
            raise RequestError(
                "bad_option", f"{error}.", "Change that setting and generate again."
            ) from error

    def _preview(self, ids: Tensor, count: int) -> Mesh | None:
        """The shape so far, at each step worth showing; None while there is nothing to see."""
        tokenizer = self.tokenizer
        if not isinstance(tokenizer, PrefixDecoder) or count % tokenizer.preview_stride or count == len(ids):
            return None
        try:
            return self._mesh(tokenizer.decode_prefix(ids[None], count), PREVIEW_CELLS, None)
        except EmptySurfaceError:
            return None

    def _mesh(self, latents: Tensor, cells: int, check: Callable[[], None] | None) -> Mesh:
        """The surface of a decoded shape in Blender's frame, canonical size."""

        def field(queries: Tensor) -> Tensor:
            return self.tokenizer.field(latents, queries.to(self.device)[None])[0]

        with torch.inference_mode():
            mesh = extract_surface(field, cells=cells, chunk=CHUNK, check=check)
        mesh = remove_islands(mesh, ISLAND)
        up: UpAxis = self.tokenizer.config.up_axis
        return replace(mesh, vertices=turn(mesh.vertices, up, "z").astype(np.float32))


class _Clock:
    """Seconds of each stage, and an honest guess of what a stage still needs."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage], self.last = now - self.last, now

    def left(self, done: int, total: int) -> float | None:
        """Seconds left of the running stage at its mean rate so far; None before there is a rate."""
        return (time.perf_counter() - self.last) / done * (total - done) if done > 3 else None


def _check(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled


def _cells(request: Request) -> int:
    if request.cells is None:
        return CELLS
    if not 16 <= request.cells <= MAX_CELLS:
        raise RequestError(
            "bad_option", f"Detail is {request.cells} cells.", f"Set it between 16 and {MAX_CELLS}."
        )
    return request.cells
