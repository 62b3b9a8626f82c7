"""A request in, events out: sources and words, tokens, pictures and surfaces. No sockets.

Several requests run at once: each is an iterator that hands over None while it waits for the next token of
the batch, which `advance` decodes for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from backend import checkpoint
from backend.engine import Engine
from backend.events import PipelineEvent, Request
from backend.failures import WeightsError
from backend.hardware import AUTO, TRANSFORMERS, hardware
from backend.image_tokenizer.interface import ImageTokenizer
from backend.model.text import TextEncoder, text_encoder
from backend.model.transformer import DualStreamTransformer
from backend.models import REGISTRIES
from backend.plan import CELLS, Offer, plan
from backend.results import Pictures, Shapes
from backend.run import Parts, Run
from backend.sampling import SamplingSettings
from backend.sequence import Layout, Segment
from backend.shape_tokenizer.interface import ShapeTokenizer
from backend.sources import SourceReader
from backend.tasks import TASKS


class Pipeline:
    """One loaded model, serving several requests as rows of one batch."""

    jobs_at_once = 8

    def __init__(
        self,
        info: checkpoint.ModelInfo,
        transformer: DualStreamTransformer,
        shapes: ShapeTokenizer | None,
        images: ImageTokenizer | None,
        text: TextEncoder,
        device: torch.device,
        editor: DualStreamTransformer | None = None,
    ) -> None:
        """editor: another transformer of the same sequences, for the tasks of the stage `edit`."""
        self.model_name = info.preset
        self.transformer, self.device = transformer, device
        self.tokenizers = {"shape": shapes, "image": images}
        self.text = text
        self.offer = Offer(
            tasks=tuple(name for name in info.tasks if self._can(name)),
            text=self.text,
            defaults=SamplingSettings(**info.sampling),
            own={task: SamplingSettings(**info.sampling | more) for task, more in info.task_sampling.items()},
            box=transformer.config.use_bbox,
        )
        engine = self._engine(transformer)
        self.parts = Parts(
            text=self.text,
            engine=engine,
            editing=engine if editor is None else self._engine(editor),
            sources=SourceReader(shapes, images, device),
            shapes=None if shapes is None else Shapes(shapes, device),
            pictures=None if images is None else Pictures(images, device),
        )

    def _engine(self, transformer: DualStreamTransformer) -> Engine:
        learned = transformer.config.learned_null_text
        return Engine(transformer, self.device, null_text=None if learned else self.text.encode([""]))

    def _can(self, name: str) -> bool:
        """Whether the parts that a task needs are all there."""
        task = TASKS[name]
        views = self.transformer.config.n_views > 0 or not task.uses_views
        return views and all(self.tokenizers[modality] is not None for modality in task.modalities)

    @classmethod
    def load(cls, weights: Path, device: str = AUTO, compute: str = AUTO) -> Pipeline:
        """The model of a folder, on a device as `backend.hardware` names it.

        Raises WeightsError with one sentence that says what to do.
        """
        chosen = hardware(device, compute)
        model = checkpoint.load(Path(weights), REGISTRIES, device=chosen.device, dtypes=chosen.dtypes)
        tokenizers = {"shape_tokenizer", "image_tokenizer"} & model.modules.keys()
        if "transformer" not in model.modules or not tokenizers:
            raise WeightsError(
                f"{weights} lacks a transformer or a tokenizer; choose a complete model folder."
            )
        transformers = {
            name: cast(DualStreamTransformer, model.modules[name])
            for name in TRANSFORMERS
            if name in model.modules
        }
        shapes = cast("ShapeTokenizer | None", model.modules.get("shape_tokenizer"))
        images = cast("ImageTokenizer | None", model.modules.get("image_tokenizer"))
        try:
            text = text_encoder(model.info.text_encoder, Path(weights), chosen.device)
        except ValueError as error:
            raise WeightsError(f"Prompts cannot be read: {error}.") from error
        try:
            for transformer in transformers.values():
                _check_text(transformer, text)
                transformer.set_codebooks(*_codebooks(transformer, shapes, images))
                chosen.settle(transformer)
            first, editor = map(transformers.get, TRANSFORMERS)
            assert first is not None
            pipeline = cls(model.info, first, shapes, images, text, chosen.device, editor)
            pipeline.warm()
        except (ValueError, TypeError) as error:
            raise WeightsError(
                f"{weights} does not fit together: {error}. Copy the model folder again."
            ) from error
        return pipeline

    def warm(self) -> None:
        """Runs what is compiled on a machine's first use, so that no request waits for it."""
        for engine in self.parts.engines:
            modality = engine.model.vocabulary.modalities[0]
            chain = engine.start(None, Layout(targets=(Segment(modality),)), [], self.offer.defaults)
            engine.advance()
            engine.stop(chain)
        if self.parts.shapes is not None:
            self.parts.shapes.warm()

    def capabilities(self) -> dict[str, Any]:
        """What this model can do, for `welcome`."""
        config, defaults = self.transformer.config, self.offer.defaults
        return {
            "tasks": list(self.offer.tasks),
            "preview": any(
                decoder is not None and decoder.previews
                for decoder in (self.parts.shapes, self.parts.pictures)
            ),
            "box": self.offer.box,
            "color": self.offer.color,
            "shape_tokens": config.n_shape_tokens,
            "image_tokens": config.n_image_tokens,
            "guidance": defaults.guidance,
            "source_guidance": defaults.source_guidance,
            "temperature": defaults.temperature,
            "top_p": defaults.top_p,
            "cells": CELLS,
        }

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        """See backend.jobs.RunsJobs."""
        return Run(self.parts, plan(request, self.offer), cancelled).events()

    def advance(self) -> None:
        """One decoding step for all started requests that wait for one."""
        for engine in self.parts.engines:
            engine.advance()


def _check_text(transformer: DualStreamTransformer, text: TextEncoder) -> None:
    wanted = [(part.width, part.tokens) for part in transformer.config.text]
    given = list(zip(text.widths, text.tokens, strict=True))
    if given != wanted:
        raise ValueError(f"the text encoder gives {given} (width, tokens), the transformer expects {wanted}")


def _codebooks(
    transformer: DualStreamTransformer, shapes: ShapeTokenizer | None, images: ImageTokenizer | None
) -> tuple[Tensor | None, Tensor | None]:
    """Of the modalities whose embeddings are projections of them."""
    config = transformer.config
    shape = shapes.codebook() if shapes is not None and config.embed_codes == "projected" else None
    projected = config.n_image_codes > 0 and config.embed_image_codes == "projected"
    return shape, images.codebook() if images is not None and projected else None
