"""Training task of the shape tokenizers: reconstruct the signed distance through the quantised codes.

The codes start continuous; at `quantise_from` the codebook is initialised from the encoder's own outputs,
because a quantiser switched on at once collapses (measured; see the model card). Tail dropout, where the
tokenizer's configuration asks for it, decodes a part of each batch from its first tokens alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from backend.checkpoint import config_from_dict
from backend.shape_tokenizer import KINDS
from backend.shape_tokenizer.grid import LOGITS_PER_UNIT, GridShapeTokenizer, GridShapeTokenizerConfig
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer, PerceiverShapeTokenizerConfig
from backend.shape_tokenizer.quantizer import CodebookUsage
from backend.shape_tokenizer.transport import OptimalTransport
from training.data.shape_samples import ShapeSamples, is_procedural, load_samples
from training.loop import (
    LoopSettings,
    Loss,
    Stateless,
    averaged_weights,
    cut,
    means,
    rank_share,
    saved_recipe,
)
from training.model_folder import is_model, module_of

Config = GridShapeTokenizerConfig | PerceiverShapeTokenizerConfig
Tokenizer = GridShapeTokenizer | PerceiverShapeTokenizer
_JUDGED = 6144  # queries of each held-out shape that evaluations ask for, about
PREFIXES = (2, 4, 8)  # parts of the sequence that are evaluated alone, where tails are dropped
# Signed distances are learned up to this, canonical units: three cells of the feature field.
BAND = 0.15


@dataclass(frozen=True, kw_only=True)
class ShapeTokenizerRecipe:
    """Everything a tokenizer run depends on."""

    config: Config
    loop: LoopSettings
    kind: str = "grid"  # of tokenizer, as in `backend.shape_tokenizer.KINDS`
    points: int = 2048  # surface points per shape and step
    queries: int = 2048  # field queries per shape and step
    quantise_from: int = 1000  # step at which codes become discrete
    transport: OptimalTransport | None = None  # assigns codes in training; nearest codes without
    code_weight: float = 0.25  # of the quantiser's loss
    corpus_share: float = 0.35  # of the batch, where there are shapes that are not procedural
    restart_every: int = 200  # steps between restarts of unused codes

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not isinstance(self.config, KINDS[self.kind][0]):
            raise ValueError(
                f"{type(self.config).__name__} does not configure a tokenizer of kind {self.kind}"
            )

    @property
    def tail_dropout(self) -> float:
        """Share of each batch that is decoded from a prefix of its tokens."""
        return self.config.tail_dropout if isinstance(self.config, PerceiverShapeTokenizerConfig) else 0.0


class ShapeTokenizerTask(Stateless):
    """A `TrainingTask`: batches from labelled shapes, and reconstruction figures on held-out ones."""

    def __init__(
        self,
        recipe: ShapeTokenizerRecipe,
        synthetic: ShapeSamples,
        corpus: ShapeSamples | None,
        held_out: ShapeSamples,
        *,
        micro_samples: int = 64,
    ) -> None:
        self.recipe, self.held_out, self.micro_samples = recipe, held_out, micro_samples
        self.sets = [(synthetic, 1.0 if corpus is None else 1 - recipe.corpus_share, False)]
        if corpus is not None:
            self.sets.append((corpus, recipe.corpus_share, True))
        torch.manual_seed(recipe.loop.seed)
        self.model: nn.Module = _Reconstruction(recipe)

    def before_step(self, step: int) -> None:
        model = self._reconstruction
        if step == self.recipe.quantise_from:
            model.tokenizer.quantizer.initialise_from(self._encoded(512))
        model.quantise = step >= self.recipe.quantise_from
        if model.quantise and step > self.recipe.quantise_from and step % self.recipe.restart_every == 0:
            quantizer = model.tokenizer.quantizer
            generator = torch.Generator().manual_seed(step)
            model.usage.restart_dead(quantizer, quantizer.latents(self._encoded(64)), generator=generator)

    @property
    def _reconstruction(self) -> _Reconstruction:
        assert isinstance(self.model, _Reconstruction)
        return self.model

    @torch.no_grad()
    def _encoded(self, shapes: int) -> Tensor:
        """Encoder outputs (shapes, N, width) of shapes drawn for this purpose."""
        rng = np.random.default_rng((self.recipe.loop.seed, 2))
        out, encoder = [], self._reconstruction.tokenizer.encoder
        device = next(encoder.parameters()).device
        for _ in range(max(1, shapes // 64)):
            batch = self._batch(64, rng)
            out.append(encoder(batch["points"].to(device), batch["normals"].to(device)))
        return torch.cat(out)

    def _batch(self, size: int, rng: np.random.Generator) -> dict[str, Tensor]:
        parts = []
        for samples, share, turn in self.sets:
            count = round(size * share)
            if count:
                rows = rng.choice(len(samples), size=count, p=samples.probabilities())
                parts.append(draw(samples, rows, self.recipe.points, self.recipe.queries, rng, turn=turn))
        return {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}

    def parts(self, step: int, rank: int, world: int) -> list[dict[str, Any]]:
        loop = self.recipe.loop
        rng = np.random.default_rng((loop.seed, step, rank))
        batch = self._batch(len(rank_share(loop.batch, rank, world)), rng)
        if not self.recipe.tail_dropout:
            return cut(batch, self.micro_samples)
        order = torch.from_numpy(rng.permutation(len(batch["points"])))
        batch = {name: value[order] for name, value in batch.items()}
        return [part | self._tails_dropped(part, rng) for part in cut(batch, self.micro_samples)]

    def _tails_dropped(self, part: dict[str, Tensor], rng: np.random.Generator) -> dict[str, int]:
        """How many rows of a part in random order are decoded whole, and from how many tokens the others are.

        Lengths are drawn evenly on a logarithmic scale: short prefixes are the ones that must mean something.
        """
        size, n_tokens = len(part["points"]), self.recipe.config.n_tokens
        kept = int(np.exp(rng.uniform(0, np.log(n_tokens + 1))))
        return {"kept": kept, "whole": size - round(size * self.recipe.tail_dropout)}

    def loss(self, model: nn.Module, part: dict[str, Any]) -> Loss:
        prefix = {name: part[name] for name in ("kept", "whole") if name in part}
        logits, _, codes = model(part["points"], part["normals"], part["queries"], **prefix)
        field, terms = field_loss(logits, part["distances"])
        health = self._reconstruction.usage.figures() if self._reconstruction.quantise else {}
        count = len(part["points"])
        figures = means(count, terms | {"codes": codes} | health)
        value = field + self.recipe.code_weight * codes
        return Loss(value, count, count * self.recipe.config.n_tokens, figures)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean IoU over uniform and over near-surface queries of the held-out shapes, by kind of source.

        Of prefixes, uniform queries alone: `iou_corpus_8th` is that of the first eighth of the tokens.
        """
        scores: dict[str, list[float]] = {}
        used: set[int] = set()
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        rows = np.arange(len(self.held_out))
        for part in np.array_split(rows, max(1, len(rows) // 16)):
            every = max(1, self.held_out.queries.shape[1] // _JUDGED)
            batch = draw(self.held_out, part, 4096, every, None, turn=False)
            tensors = {name: torch.from_numpy(value).to(device) for name, value in batch.items()}
            asked = (tensors["points"], tensors["normals"], tensors["queries"])
            near, prefixes = -(-self.held_out.n_near // every), {}
            logits, ids, _ = model(*asked)
            for fraction in PREFIXES if self.recipe.tail_dropout else ():
                kept = max(1, self.recipe.config.n_tokens // fraction)
                prefixes[fraction] = model(*asked, kept=kept, whole=0)[0] > 0
            used.update(ids.unique().tolist())
            inside, truth = logits > 0, tensors["distances"] < 0
            for row, index in enumerate(part):
                kind = "synthetic" if is_procedural(self.held_out.ids[index]) else "corpus"
                scores.setdefault(f"iou_{kind}", []).append(_iou(inside[row, near:], truth[row, near:]))
                scores.setdefault(f"near_{kind}", []).append(_iou(inside[row, :near], truth[row, :near]))
                for fraction, early in prefixes.items():
                    figure = _iou(early[row, near:], truth[row, near:])
                    scores.setdefault(f"iou_{kind}_{fraction}th", []).append(figure)
        return {name: float(np.mean(values)) for name, values in scores.items()} | {
            "codes_used": float(len(used))
        }


class ShapeDecoderTask(ShapeTokenizerTask):
    """Second stage: encoder and codes stay as they are, so tokens stay valid, and the decoder learns on."""

    def __init__(
        self,
        recipe: ShapeTokenizerRecipe,
        start: Tokenizer,
        synthetic: ShapeSamples,
        corpus: ShapeSamples | None,
        held_out: ShapeSamples,
    ) -> None:
        super().__init__(recipe, synthetic, corpus, held_out)
        tokenizer = self._reconstruction.tokenizer
        tokenizer.load_state_dict(start.state_dict())
        tokenizer.encoder.requires_grad_(False)
        tokenizer.quantizer.requires_grad_(False)
        self._reconstruction.quantise = True

    def before_step(self, step: int) -> None:
        """One phase only."""


class _Reconstruction(nn.Module):
    """Encoder, (quantiser,) decoder and field in one forward pass, for data-parallel wrapping."""

    share: Tensor

    def __init__(self, recipe: ShapeTokenizerRecipe) -> None:
        super().__init__()
        self.tokenizer = _tokenizer(recipe.kind, recipe.config)
        self.tokenizer.quantizer.transport = recipe.transport
        self.quantise = False
        self.usage = CodebookUsage(recipe.config.n_codes)
        # A buffer, so that a resumed run restarts the same codes.
        self.register_buffer("share", self.usage.share)

    def forward(
        self, points: Tensor, normals: Tensor, queries: Tensor, kept: int | None = None, whole: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, Q), ids (B, N) and the quantiser's loss; ids are -1 while codes are continuous.

        With `kept`, all rows but the first `whole` are decoded from their first `kept` tokens.
        """
        quantizer, h = self.tokenizer.quantizer, self.tokenizer.encoder(points, normals)
        if self.quantise:
            out = quantizer(h)
            tokens, ids, loss = out.embedding, out.ids, 0.25 * out.commitment_loss + out.codebook_loss
            if self.training:
                self.usage.share = self.share
                self.usage.update(ids)
        else:
            tokens = quantizer.c_out(quantizer.latents(h))
            ids, loss = torch.full(h.shape[:2], -1, device=h.device), h.new_zeros(())
        if kept is None:
            return self._decoded(tokens, queries), ids, loss
        parts = (tokens[:whole], queries[:whole]), (tokens[whole:, :kept], queries[whole:])
        return torch.cat([self._decoded(*part) for part in parts if len(part[0])]), ids, loss

    def _decoded(self, tokens: Tensor, queries: Tensor) -> Tensor:
        return self.tokenizer.field(self.tokenizer.latents(tokens), queries)


def _tokenizer(kind: str, config: Config) -> Tokenizer:
    tokenizer = KINDS[kind][1](config)
    assert isinstance(tokenizer, GridShapeTokenizer | PerceiverShapeTokenizer)
    return tokenizer


def field_loss(logits: Tensor, distances: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """L1 on the truncated signed distance plus cross-entropy on the side.

    logits: (B, Q), positive inside; distances: (B, Q), negative inside, canonical units.
    """
    target = (-distances).clamp(-BAND, BAND)
    value = (logits / LOGITS_PER_UNIT).clamp(-1.2 * BAND, 1.2 * BAND)
    truncated = (value - target).abs().mean() / BAND
    side = F.binary_cross_entropy_with_logits(4 * logits, (distances < 0).float())
    return truncated + 0.5 * side, {"l1": truncated.detach(), "side": side.detach()}


def draw(
    samples: ShapeSamples,
    rows: NDArray[np.int64],
    points: int,
    queries: int,
    rng: np.random.Generator | None,
    *,
    turn: bool,
) -> dict[str, NDArray[np.float32]]:
    """Arrays of these shapes: a random part of their points and queries.

    Where rng is None, the first points and one of so many queries.

    Shapes are mirrored in x at random, and where `turn` is set also turned by quarters about z: both keep the
    signed distance, and a tokenizer has no use for an object's heading.
    """
    shape, normal = samples.points[rows], samples.normals[rows]
    query, distance = samples.queries[rows], samples.distances[rows]
    if rng is not None:
        pick = rng.permutation(shape.shape[1])[:points]
        ask = rng.permutation(query.shape[1])[:queries]
    else:
        pick, ask = np.arange(min(points, shape.shape[1])), np.arange(0, query.shape[1], queries)
    shape, normal, query, distance = shape[:, pick], normal[:, pick], query[:, ask], distance[:, ask]
    arrays = {
        "points": shape.astype(np.float32),
        "normals": normal.astype(np.float32) / 127,
        "queries": query.astype(np.float32),
    }
    if rng is not None:
        frames = np.stack([_frame(rng, turn) for _ in rows])
        arrays = {name: np.einsum("bni,bij->bnj", value, frames) for name, value in arrays.items()}
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in arrays.items()} | {
        "distances": distance.astype(np.float32)
    }


def _frame(rng: np.random.Generator, turn: bool) -> NDArray[np.float32]:
    frame = np.diag([rng.choice([-1.0, 1.0]), 1.0, 1.0])
    if turn:
        quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        frame = frame @ np.linalg.matrix_power(quarter, int(rng.integers(4)))
    return frame.astype(np.float32)


def _iou(a: Tensor, b: Tensor) -> float:
    union = (a | b).sum().item()
    return 1.0 if union == 0 else (a & b).sum().item() / union


def load_task(recipe: ShapeTokenizerRecipe, data: Path, start: Tokenizer | None = None) -> ShapeTokenizerTask:
    """The task on a data folder, as `omni123-train data run` makes it.

    With a tokenizer to start from, the stage that trains its decoder alone.
    """
    corpus = load_samples(data, "train", lambda source: not is_procedural(source))
    synthetic, held_out = load_samples(data, "train", is_procedural), load_samples(data, "val")
    if synthetic is None:
        synthetic, corpus = corpus, None
    if synthetic is None or held_out is None:
        raise ValueError(f"{data} needs shapes to train on and shapes held out; add more sources")
    if start is None:
        return ShapeTokenizerTask(recipe, synthetic, corpus, held_out)
    return ShapeDecoderTask(recipe, start, synthetic, corpus, held_out)


def trained_tokenizer(run: Path) -> Tokenizer:
    """The tokenizer of a run, averaged weights, or of a model folder, ready for inference."""
    if is_model(run):
        module = module_of(run, "shape_tokenizer", nn.Module)
        assert isinstance(module, GridShapeTokenizer | PerceiverShapeTokenizer)
        return module
    tensors, recipe = averaged_weights(run), saved_recipe(run)
    kind = recipe.get("kind", "grid")  # runs of before there were two
    tokenizer = _tokenizer(kind, config_from_dict(KINDS[kind][0], recipe["config"]))
    prefix = "tokenizer."
    tokenizer.load_state_dict(
        {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    )
    return tokenizer.eval()
