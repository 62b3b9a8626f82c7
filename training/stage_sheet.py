"""What a stage's model makes of held-out samples, as sections of a sheet: a row for each task."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from backend.chain import Chain
from backend.engine import Engine
from backend.geometry.canonical import turn
from backend.geometry.mesh import Mesh
from backend.geometry.queries import chunk_size
from backend.geometry.surface import EmptySurfaceError, extract_surface
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.results import pixels
from backend.sampling import SamplingSettings
from backend.sequence import Segment
from training.caption_embeddings import CaptionEmbeddings
from training.data.rendering.raster import NoGraphicsError
from training.draws import Drawn
from training.evaluation.render import blank, render
from training.evaluation.sheets import Panel, Section
from training.export import SAMPLING
from training.tokenizers import Tokenizers

SHOWN = 4  # samples of each task
_SIDE = 128  # pixels of a picture
_ACROSS = 4  # pictures of a panel: what is given, then what was made, as far as there is room
_CELLS = 48
_CPU = torch.device("cpu")


@torch.no_grad()
def stage_sheet(
    model: DualStreamTransformer,
    samples: Mapping[str, Sequence[Drawn]],
    tokenizers: Tokenizers,
    captions: CaptionEmbeddings,
) -> list[Section] | None:
    """A section for each task; None on a machine that cannot draw."""
    device = next(model.parameters()).device
    with torch.autocast(device.type, enabled=False):
        engine = Engine(model, device, null_text=_null(model, captions))
        try:
            return [
                Section(heading=task, panels=_panels(engine, few[:SHOWN], tokenizers, captions))
                for task, few in samples.items()
            ]
        except NoGraphicsError as error:
            logging.getLogger(__name__).warning("no sample sheet: %s", error)
            return None


def _null(model: DualStreamTransformer, captions: CaptionEmbeddings) -> TextEmbeddings | None:
    return None if model.config.learned_null_text else captions.rows([""])


def _panels(
    engine: Engine, samples: Sequence[Drawn], tokenizers: Tokenizers, captions: CaptionEmbeddings
) -> list[Panel]:
    chains = [_begun(engine, sample, captions, seed) for seed, sample in enumerate(samples)]
    while engine.chains:
        engine.advance()
    return [_panel(sample, chain, tokenizers) for sample, chain in zip(samples, chains, strict=True)]


def _begun(engine: Engine, sample: Drawn, captions: CaptionEmbeddings, seed: int) -> Chain:
    sources = sample.codes[: len(sample.layout.prefix)]
    settings = SamplingSettings(seed=seed, source_guidance=0.0, **SAMPLING)
    text = None if sample.words is None else captions.rows([sample.words])
    return engine.start(text, sample.layout, sources, settings)


def _panel(sample: Drawn, chain: Chain, tokenizers: Tokenizers) -> Panel:
    given = len(sample.layout.prefix)
    codes = [*sample.codes[:given], *chain.codes]
    # The last source says most of what was given; the first targets are made from the least.
    order = [*range(given)[-1:], *range(given, len(codes))]
    images = [
        _picture(sample.layout.segments[place], codes[place], tokenizers) for place in islice(order, _ACROSS)
    ]
    return Panel(caption=sample.words or "(no words)", images=tuple(images))


def _picture(segment: Segment, codes: Tensor, tokenizers: Tokenizers) -> NDArray[np.uint8]:
    """(side, side, 3)"""
    if segment.modality == "shape":
        mesh = _mesh(codes.cpu(), tokenizers)
        return blank(_SIDE) if mesh is None else render(mesh, _SIDE)
    assert tokenizers.image is not None
    image = Image.fromarray(pixels(tokenizers.image.decode(codes.cpu()[None])[0])[..., :3])
    return np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))


def _mesh(codes: Tensor, tokenizers: Tokenizers) -> Mesh | None:
    """In Blender's frame; None where nothing is solid."""
    tokenizer = tokenizers.shape
    latents = tokenizer.decode(codes[None])
    try:
        mesh = extract_surface(
            lambda queries: tokenizer.field(latents, queries[None])[0], cells=_CELLS, chunk=chunk_size(_CPU)
        )
    except EmptySurfaceError:
        return None
    return Mesh(
        vertices=turn(mesh.vertices, tokenizer.config.up_axis, "z").astype(np.float32), faces=mesh.faces
    )
