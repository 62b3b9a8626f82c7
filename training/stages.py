"""The five stages of one transformer as a training task: samples of several pools, packed, over all tasks.

Omni123 Eq. 1: cross-entropy over target tokens alone; a sample's loss is the mean over its own, a step's the
mean over samples, whatever was packed with what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.model.layers import DualBlock, SingleBlock
from backend.model.text import TextEmbeddings, text_encoder
from backend.model.text.embeddings import TextEncoder
from backend.model.text.minilm import MINILM
from backend.model.transformer import DualStreamTransformer
from backend.sequence import Modality, PackedBatch, pack
from backend.tasks import TASKS
from training.caption_embeddings import MEMORY, CaptionEmbeddings
from training.data.shards.dataset import Dataset
from training.data.shards.pools import pool_of
from training.draws import Draw, Drawn, draw, draw_of, read
from training.evaluation.sheets import Section
from training.flops import parts_of, sample_flops
from training.loop import Loss, Machine, Stateless, rank_share
from training.origin import Origin, origin_of, stages_done
from training.recipes.stages import STAGES, StageRecipe
from training.recipes.tokens import drawn
from training.stage_sheet import stage_sheet
from training.starting_weights import fill, point_heads
from training.token_pools import open_pools
from training.tokenizers import Tokenizers, trained_tokenizers

HELD_OUT = 32  # samples of each task whose losses are watched
AT_ONCE = 16  # of them in one forward pass


@dataclass(frozen=True)
class Part:
    """Samples of one forward pass."""

    batch: PackedBatch
    text: TextEmbeddings
    drop: Tensor | None  # (B,) bool, whose text is the learned null
    tasks: tuple[str, ...]  # of each sample

    def to(self, device: torch.device) -> Part:
        drop = None if self.drop is None else self.drop.to(device)
        return Part(self.batch.to(device), self.text.to(device), drop, self.tasks)


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
        text: TextEncoder | CaptionEmbeddings | None = None,
    ) -> None:
        """start: the run of the stage before. Raises ValueError where it or the data does not fit.

        text: the recipe's encoder, or embeddings of it that other tasks share, where they are at hand.
        """
        self.recipe, self.tokenizers, self.start = recipe, tokenizers, start
        self.machine = machine or Machine()
        dataset = Dataset(data)
        self._data = dataset.fingerprint(dataset.modalities)
        only = None if recipe.subset is None else recipe.subset.keys(dataset)
        self.pools = open_pools(dataset, recipe.pools, "train", tokenizers.hashes, only=only)
        self.held_out = open_pools(dataset, recipe.pools, "val", tokenizers.hashes)
        if not self.pools:
            raise ValueError(f"{data} has no tokens of {', '.join(recipe.pools)}; run `omni123-train tokens`")
        self.captions = text if isinstance(text, CaptionEmbeddings) else _captions(recipe, text)
        torch.manual_seed(recipe.loop.seed)
        self.transformer = DualStreamTransformer(recipe.config)
        self.new = sorted(self.transformer.state_dict()) if start is None else fill(self.transformer, start)
        point_heads(self.transformer, self.new, tokenizers)
        self.transformer.set_codebooks(*tokenizers.codebooks(recipe.config))
        self.model: nn.Module = self.transformer
        self.notes = list(self._noted())  # what whoever starts a run should know, a sentence each

    @cached_property
    def flops_per_token(self) -> float:
        """Forward and backward, a position of the sequences that the recipe draws."""
        parts, config = parts_of(self.transformer), self.recipe.config
        layouts = list(drawn(self.recipe))
        flops = sum(chance * sample_flops(config, parts, layout) for chance, layout in layouts)
        return flops / sum(chance * layout.n_positions(config.lengths) for chance, layout in layouts)

    def _noted(self) -> Iterator[str]:
        for name in self.recipe.pools:
            if name not in self.pools:
                yield f"The data has nothing for the pool {name}: it is left out."
        if self.start is not None and self.new:
            yield f"New in this stage: {', '.join(self.new)}."

    @property
    def trained(self) -> tuple[str, ...]:
        """Tasks of the recipe that the data serves."""
        return tuple(task for task in self.recipe.tasks if pool_of(task).name in self.pools)

    def origin(self) -> Origin:
        """For the run's folder."""
        before = () if self.start is None else origin_of(self.start).tasks
        return Origin(
            stages=(*(() if self.start is None else stages_done(self.start)), self.recipe.name),
            tasks=tuple(dict.fromkeys((*before, *self.trained))),
            tokenizers={str(modality): own for modality, own in self.tokenizers.hashes.items()},
            data=self._data,
        )

    def parts(self, step: int, rank: int, world: int) -> list[Part]:
        draws = [self.drawn(step, place) for place in rank_share(self.recipe.loop.batch, rank, world)]
        return [self._part([read(one, self.pools[one.pool]) for one in few]) for few in self._cut(draws)]

    def drawn(self, step: int, place: int) -> Draw:
        """The sample at a place of a step's batch."""
        # Of this stage alone: with one seed for all, each would begin with the samples of the one before.
        seed = (self.recipe.loop.seed, STAGES.index(self.recipe.name), step, place)
        return draw(self.recipe, self.pools, np.random.default_rng(seed))

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
        drop: Tensor | None = torch.tensor([own is None for own in words])
        if not self.recipe.config.learned_null_text:  # then null text is that of the empty prompt
            words, drop = [own or "" for own in words], None
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
        sums = torch.zeros(len(part.tasks), device=part.batch.inputs.device)
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
        return {
            f"val/{task}": float(self.sample_losses(model, samples).mean())
            for task, samples in self._watched.items()
        }

    def sample_losses(self, model: nn.Module, samples: Sequence[Drawn]) -> Tensor:
        """Mean cross-entropy of each (n,), however many there are; of no gradient."""
        device = next(model.parameters()).device
        parts = [samples[start : start + AT_ONCE] for start in range(0, len(samples), AT_ONCE)]
        with torch.no_grad():
            return torch.cat([self._losses(model, self._part(few).to(device))[0] for few in parts])

    def sheet(self, model: nn.Module) -> list[Section] | None:
        """What the model makes of some of the samples whose losses are watched."""
        assert isinstance(model, DualStreamTransformer)
        return stage_sheet(model, self._watched, self.tokenizers, self.captions)


def _captions(recipe: StageRecipe, text: TextEncoder | None) -> CaptionEmbeddings:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = text or text_encoder(recipe.text_encoder, device=device)
    on_cpu = device == "cpu" or recipe.text_encoder == MINILM
    return CaptionEmbeddings(encoder, MEMORY if on_cpu else 0)


def load_stage(
    recipe: StageRecipe,
    data: Path,
    run: Path,
    *,
    shape_run: Path,
    image_run: Path | None = None,
    start: Path | None = None,
    machine: Machine | None = None,
) -> StageTask:
    """The task of a run folder, in which it notes where the run comes from. Raises ValueError."""
    tokenizers = trained_tokenizers(shape_run, image_run if recipe.config.n_image_codes else None)
    task = StageTask(recipe, data, tokenizers, start=start, machine=machine)
    before = origin_of(run).data
    if before and before != task.origin().data:
        task.notes.append(
            "The data has changed since this run began: what follows is not what it would have been."
        )
    task.origin().save(run)
    return task
