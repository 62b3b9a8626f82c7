"""The task text_to_shape: next-token prediction of a shape's codes given its caption (paper section 4.2).

Captions are drawn anew each time a shape is drawn; text is dropped with the recipe's probability, so that the
learned null sequence serves classifier-free guidance.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.model.config import TransformerConfig
from backend.model.text import TextEncoder, text_encoder
from backend.model.transformer import DualStreamTransformer
from backend.sequence import batch, build
from backend.tasks import TASKS
from training.data.shape_samples import is_procedural
from training.data.shape_tokens import ShapeTokens, load_tokens
from training.loop import LoopSettings, Loss, Stateless, rank_share
from training.shape_tokenizer import trained_tokenizer

TEXT_ENCODER = "all-MiniLM-L6-v2"
LAYOUT = TASKS["text_to_shape"].layout()


@dataclass(frozen=True, kw_only=True)
class TextToShapeRecipe:
    """Everything a text_to_shape run depends on."""

    config: TransformerConfig
    loop: LoopSettings
    text_dropout: float = 0.1  # paper section 5
    corpus_share: float = 0.25  # of the batch, where there are shapes that are not procedural


class TextToShapeTask(Stateless):
    """A `TrainingTask` over captioned token sequences."""

    def __init__(
        self,
        recipe: TextToShapeRecipe,
        codebook: Tensor,
        text: TextEncoder,
        synthetic: ShapeTokens,
        corpus: ShapeTokens | None,
        held_out: ShapeTokens,
    ) -> None:
        self.recipe, self.text, self.held_out = recipe, text, held_out
        self.sets = [(synthetic, 1.0 if corpus is None else 1 - recipe.corpus_share)]
        if corpus is not None:
            self.sets.append((corpus, recipe.corpus_share))
        torch.manual_seed(recipe.loop.seed)
        transformer = DualStreamTransformer(recipe.config)
        transformer.set_codebooks(codebook, None)
        self.model: nn.Module = transformer

    def _batch(self, size: int, rng: np.random.Generator) -> tuple[Tensor, list[str]]:
        ids, prompts = [], []
        for tokens, share in self.sets:
            rows = rng.choice(len(tokens), size=round(size * share), p=tokens.probabilities())
            ids.append(tokens.ids[rows])
            prompts += [str(rng.choice(tokens.captions[row])) for row in rows]
        return torch.from_numpy(np.concatenate(ids).astype(np.int64)), prompts

    def parts(self, step: int, rank: int, world: int) -> list[tuple[Tensor, list[str], Tensor]]:
        rng = np.random.default_rng((self.recipe.loop.seed, step, rank))
        ids, prompts = self._batch(len(rank_share(self.recipe.loop.batch, rank, world)), rng)
        return [(ids, prompts, torch.from_numpy(rng.random(len(ids)) < self.recipe.text_dropout))]

    def loss(self, model: nn.Module, part: tuple[Tensor, list[str], Tensor]) -> Loss:
        return Loss(self._token_losses(model, *part).mean(), len(part[0]), part[0].numel(), {})

    def _token_losses(self, model: nn.Module, ids: Tensor, prompts: list[str], drop: Tensor) -> Tensor:
        """Cross-entropy of each code, (B, n_tokens)."""
        with torch.no_grad():
            text = self.text.encode(prompts)
        vocabulary = self.recipe.config.vocabulary
        rows = batch([build(LAYOUT, [codes], vocabulary) for codes in ids])
        due = rows.due(vocabulary)
        logits = model(rows.inputs, text, drop=drop, visible=rows.visible, due=due)["shape"]
        codes = logits[:, : vocabulary.n_shape_codes].float()
        return F.cross_entropy(codes, rows.labels[due["shape"]], reduction="none").view(ids.shape)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean loss on held-out shapes with their fullest caption, and with no text at all."""
        sums = {"val": 0.0, "val_no_text": 0.0}
        rows = np.arange(len(self.held_out))
        for part in np.array_split(rows, max(1, len(rows) // 32)):
            ids = torch.from_numpy(self.held_out.ids[part].astype(np.int64))
            prompts = [self.held_out.captions[row][-1] for row in part]
            for name, dropped in (("val", False), ("val_no_text", True)):
                drop = torch.full((len(part),), dropped)
                losses = self._token_losses(model, ids, prompts, drop)
                sums[name] += losses.mean(dim=1).sum().item()
        return {name: value / len(rows) for name, value in sums.items()}


def load_task(recipe: TextToShapeRecipe, tokenizer_run: Path, data: Path) -> TextToShapeTask:
    """The task on a data folder whose shapes `omni123-train tokens` has tokenised."""
    tokenizer = trained_tokenizer(tokenizer_run)
    synthetic = load_tokens(data, "train", tokenizer, is_procedural)
    corpus = load_tokens(data, "train", tokenizer, lambda source: not is_procedural(source))
    held_out = load_tokens(data, "val", tokenizer)
    if synthetic is None:
        synthetic, corpus = corpus, None
    if synthetic is None or held_out is None:
        raise ValueError(f"{data} needs captioned shapes to train on and shapes held out; add more sources")
    return TextToShapeTask(
        recipe,
        tokenizer.codebook(),
        text_encoder(TEXT_ENCODER),
        synthetic,
        corpus,
        held_out,
    )
