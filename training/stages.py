"""The five stages of one transformer as a training task: samples of several pools, packed, over all tasks.

Omni123 Eq. 1: cross-entropy over target tokens alone; a sample's loss is the mean over its own, a step's the
mean over samples, whatever was packed with what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.image_tokenizer.interface import ImageTokenizer
from backend.model.config import TransformerConfig
from backend.model.layers import DualBlock, SingleBlock
from backend.model.text import TextEmbeddings, text_encoder
from backend.model.text.embeddings import TextEncoder
from backend.model.transformer import DualStreamTransformer
from backend.sequence import Modality, PackedBatch, pack
from backend.shape_tokenizer.interface import ShapeTokenizer
from backend.tasks import TASKS
from training.caption_embeddings import MEMORY, CaptionEmbeddings
from training.data.shards.dataset import Dataset
from training.data.shards.pools import pool_of
from training.data.shards.tokens import weights_hash
from training.draws import Draw, Drawn, draw, draw_of, read
from training.evaluation.sheets import Section
from training.loop import Loss, Machine, Stateless, rank_share
from training.recipes.stages import StageRecipe
from training.starting_weights import fill
from training.token_pools import open_pools

HELD_OUT = 32  # samples of each task whose losses are watched
AT_ONCE = 16  # of them in one forward pass


@dataclass(frozen=True, kw_only=True)
class Tokenizers:
    """What made the tokens of a data set; a model without pictures needs no image tokenizer."""

    shape: ShapeTokenizer
    image: ImageTokenizer | None = None

    @cached_property
    def hashes(self) -> dict[Modality, str]:
        """Of their weights, as token shards name them."""
        made: dict[Modality, Any] = {"shape": self.shape, "image": self.image}
        return {modality: weights_hash(own) for modality, own in made.items() if own is not None}

    def codebooks(self, config: TransformerConfig) -> tuple[Tensor | None, Tensor | None]:
        """As a transformer's `set_codebooks` takes them. Raises ValueError for tokens of other lengths."""
        lengths = {"shape": self.shape.config.n_tokens} | (
            {"image": self.image.config.n_tokens} if self.image and config.n_image_codes else {}
        )
        for modality, length in lengths.items():
            if length != config.lengths[modality]:
                raise ValueError(
                    f"the {modality} tokenizer makes {length} tokens, not {config.lengths[modality]}"
                )
        shape = self.shape.codebook() if config.embed_codes == "projected" else None
        if not config.n_image_codes or config.embed_image_codes == "learned":
            return shape, None
        if self.image is None:
            raise ValueError("this stage needs an image tokenizer")
        return shape, self.image.codebook()


@dataclass(frozen=True)
class Part:
    """Samples of one forward pass."""

    batch: PackedBatch
    text: TextEmbeddings
    drop: Tensor  # (B,) bool
    tasks: tuple[str, ...]  # of each sample

    def to(self, device: torch.device) -> Part:
        return Part(self.batch.to(device), self.text.to(device), self.drop.to(device), self.tasks)


class StageTask(Stateless):
    """A `TrainingTask`: a sample is a function of the seed, the step and its place in the step's batch."""

    blocks = (DualBlock, SingleBlock)

    def __init__(
        self,
        recipe: StageRecipe,
        data: Path,
        tokenizers: Tokenizers,
        *,
        start: Path | None = None,
        machine: Machine | None = None,
        text: TextEncoder | None = None,
    ) -> None:
        """start: the run of the stage before. Raises ValueError where it or the data does not fit.

        text: the recipe's encoder, where it is at hand already.
        """
        self.recipe, self.tokenizers, self.machine = recipe, tokenizers, machine or Machine()
        dataset = Dataset(data)
        self.pools = open_pools(dataset, recipe.pools, "train", tokenizers.hashes)
        self.held_out = open_pools(dataset, recipe.pools, "val", tokenizers.hashes)
        if not self.pools:
            raise ValueError(f"{data} has no tokens of {', '.join(recipe.pools)}; run `omni123-train tokens`")
        device = "cuda" if torch.cuda.is_available() else "cpu"
        encoder = text or text_encoder(recipe.text_encoder, device=device)
        self.captions = CaptionEmbeddings(encoder, MEMORY if device == "cpu" else 0)
        torch.manual_seed(recipe.loop.seed)
        self.transformer = DualStreamTransformer(recipe.config)
        self.new = sorted(self.transformer.state_dict()) if start is None else fill(self.transformer, start)
        self.transformer.set_codebooks(*tokenizers.codebooks(recipe.config))
        self.model: nn.Module = self.transformer

    @property
    def left_out(self) -> list[str]:
        """Pools of the recipe of which the data has nothing; the others share what they would have had."""
        return [name for name in self.recipe.pools if name not in self.pools]

    def parts(self, step: int, rank: int, world: int) -> list[Part]:
        seed, places = self.recipe.loop.seed, rank_share(self.recipe.loop.batch, rank, world)
        draws = [
            draw(self.recipe, self.pools, np.random.default_rng((seed, step, place))) for place in places
        ]
        return [self._part([read(one, self.pools[one.pool]) for one in few]) for few in self._cut(draws)]

    def _cut(self, draws: Sequence[Draw]) -> list[list[Draw]]:
        """Draws of like length together, in parts of at most so many positions, or of one sample."""
        lengths = self.recipe.config.lengths
        parts: list[list[Draw]] = []
        free = 0
        for size, one in sorted(
            ((d.layout.n_positions(lengths), d) for d in draws), key=lambda pair: -pair[0]
        ):
            if size > free:
                parts.append([])
                free = max(self.machine.micro_tokens, size)
            parts[-1].append(one)
            free -= size
        return parts

    def _part(self, samples: Sequence[Drawn]) -> Part:
        words = [sample.words for sample in samples]
        drop = torch.tensor([own is None for own in words])
        if not self.recipe.config.learned_null_text:
            words, drop = [own or "" for own in words], torch.zeros_like(drop)
        vocabulary = self.recipe.config.vocabulary
        return Part(
            batch=pack([sample.sequence(vocabulary) for sample in samples]),
            text=self.captions.rows(words),
            drop=drop,
            tasks=tuple(sample.task for sample in samples),
        )

    def loss(self, model: nn.Module, part: Part) -> Loss:
        means, figures = self._losses(model, part)
        for task in dict.fromkeys(part.tasks):
            own = means.detach()[[index for index, name in enumerate(part.tasks) if name == task]]
            figures[f"loss/{task}"] = (own.sum(), len(own))
        size = len(part.tasks)
        return Loss(value=means.mean(), samples=size, tokens=len(part.batch.inputs), figures=figures)

    def _losses(self, model: nn.Module, part: Part) -> tuple[Tensor, dict[str, tuple[Tensor | float, float]]]:
        """Mean cross-entropy of each sample (B,), and of all codes of a modality as figures."""
        logits: Mapping[Modality, Tensor] = model(part.batch, part.text, drop=part.drop)
        sums = torch.zeros(len(part.tasks), device=part.drop.device)
        figures: dict[str, tuple[Tensor | float, float]] = {}
        for modality, own in logits.items():
            codes = own[:, : self.recipe.config.vocabulary.n_codes(modality)].float()
            losses = F.cross_entropy(codes, part.batch.labels(modality), reduction="none")
            sums = sums.index_add(0, part.batch.sample_of(modality), losses)
            if len(losses):
                figures[f"loss/{modality} tokens"] = (losses.detach().sum(), len(losses))
        return sums / part.batch.n_targets, figures

    @cached_property
    def _watched(self) -> dict[str, list[Drawn]]:
        """Held-out samples of each task, always the same, with all that the task may be given."""
        recipe = replace(self.recipe, text_dropout=0.0, prefix_dropout=0.0, optional_text=1.0)
        watched = {}
        for name in recipe.tasks:
            pool = self.held_out.get(pool_of(name).name)
            if pool is not None:
                rows = np.random.default_rng(0).permutation(len(pool))[:HELD_OUT]
                draws = [
                    draw_of(recipe, TASKS[name], int(row), np.random.default_rng((0, row))) for row in rows
                ]
                watched[name] = [read(one, pool) for one in draws]
        return watched

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Losses of each task on held-out samples."""
        device = next(model.parameters()).device
        figures = {}
        for task, samples in self._watched.items():
            parts = [samples[start : start + AT_ONCE] for start in range(0, len(samples), AT_ONCE)]
            losses = [self._losses(model, self._part(few).to(device))[0] for few in parts]
            figures[f"val/{task}"] = float(torch.cat(losses).mean())
        return figures

    def sheet(self, model: nn.Module) -> list[Section] | None:
        return None
