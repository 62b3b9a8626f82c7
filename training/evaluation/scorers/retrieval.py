"""Our own judge: a small point-cloud encoder and a head on sentence embeddings, aligned by contrast.

It needs no published weights and has seen nothing that a generator was trained on (`retrieval_training`).
B shapes, P points, C cells of the grid, W width, D embedding width.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.checkpoint import config_from_dict
from backend.model.text.minilm import MiniLMTextEncoder
from training.evaluation.neighbours import unit_embeddings
from training.evaluation.scorers.interface import Cloud

WEIGHTS = "retrieval.safetensors"
SHIPPED = Path(__file__).parent / WEIGHTS
_AT_ONCE = 64  # shapes or sentences in one forward pass
_OCTAVES = (1.0, 2.0, 4.0)  # of the waves that tell where in its cell a point lies


@dataclass(frozen=True, kw_only=True)
class RetrievalConfig:
    """Sizes of the encoder."""

    n_points: int = 512  # read of a shape
    grid: int = 4  # cells along each side of the box
    width: int = 96
    n_layers: int = 2
    n_heads: int = 4
    embedding: int = 96
    sentence: int = 384  # width of a sentence embedding
    dropout: float = 0.1  # in the head on sentences, which are few


class _Block(nn.Module):
    """Pre-norm attention and feed-forward over the cells (B, C, W)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, C, W = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, C, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, C, W))
        out: Tensor = x + self.down(F.relu(self.up(self.norm2(x))))
        return out


class PointTextEncoder(nn.Module):
    """Shapes and sentence embeddings to one space."""

    def __init__(self, config: RetrievalConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.of_point = nn.Sequential(
            nn.Linear(3 + 6 * len(_OCTAVES), width // 2), nn.ReLU(), nn.Linear(width // 2, width)
        )
        self.cells = nn.Parameter(0.02 * torch.randn(config.grid**3, width))
        self.layers = nn.ModuleList(_Block(width, config.n_heads) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(2 * width)
        self.of_shape = nn.Linear(2 * width, config.embedding)
        self.of_text = nn.Sequential(
            nn.Linear(config.sentence, 2 * width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * width, config.embedding),
        )
        self.log_scale = nn.Parameter(torch.tensor(np.log(10.0), dtype=torch.float32))

    def shapes(self, points: Tensor) -> Tensor:
        """Unit rows (B, D) of surface points (B, P, 3) in the canonical frame, Z up."""
        B, P, _ = points.shape
        grid, width = self.config.grid, self.config.width
        scaled = (points + 1) * (grid / 2)
        cell = scaled.floor().clamp(0, grid - 1)
        place = 2 * (scaled - cell) - 1  # (B, P, 3) from -1 to 1 within the cell
        waves = [
            wave(place * (octave * torch.pi / 2)) for octave in _OCTAVES for wave in (torch.sin, torch.cos)
        ]
        features = self.of_point(torch.cat([place, *waves], dim=-1))
        index = (cell[..., 0] * grid + cell[..., 1]) * grid + cell[..., 2]
        tokens = features.new_full((B, grid**3, width), -1.0)  # of cells that hold no point
        rows = index.long()[..., None].expand(B, P, width)
        tokens = tokens.scatter_reduce(1, rows, features, "amax", include_self=False) + self.cells
        for layer in self.layers:
            tokens = layer(tokens)
        pooled = torch.cat([tokens.mean(dim=1), tokens.amax(dim=1)], dim=-1)
        return F.normalize(self.of_shape(self.norm(pooled)), dim=-1)

    def texts(self, sentences: Tensor) -> Tensor:
        """Unit rows (B, D) of sentence embeddings (B, 384)."""
        return F.normalize(self.of_text(sentences), dim=-1)


class SentenceEncoder:
    """Mean token embeddings of all-MiniLM-L6-v2, length 1, as that model was trained to be compared."""

    @cached_property
    def _encoder(self) -> MiniLMTextEncoder:
        return MiniLMTextEncoder()

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        """(n, 384) float32. Prompts of like length go together, so that little is padded."""
        rows = torch.zeros(len(prompts), *self._encoder.widths)
        order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
        for start in range(0, len(order), _AT_ONCE):
            part = order[start : start + _AT_ONCE]
            rows[part] = torch.from_numpy(unit_embeddings(self._encoder, [prompts[row] for row in part]))
        return rows


class RetrievalScorer:
    """The trained encoder as a `Scorer`."""

    name = "retrieval"

    def __init__(self, model: PointTextEncoder, provenance: str = "") -> None:
        self.model, self.provenance = model.eval(), provenance
        self.sentences = SentenceEncoder()

    @torch.no_grad()
    def texts(self, prompts: Sequence[str]) -> Tensor:
        return self.model.texts(self.sentences.encode(prompts))

    @torch.no_grad()
    def shapes(self, clouds: Sequence[Cloud]) -> Tensor:
        made = [
            self.model.shapes(
                torch.stack([self._points(cloud) for cloud in clouds[start : start + _AT_ONCE]])
            )
            for start in range(0, len(clouds), _AT_ONCE)
        ]
        return torch.cat(made) if made else torch.zeros(0, self.model.config.embedding)

    def _points(self, cloud: Cloud) -> Tensor:
        """Evenly taken: clouds are shuffled. The mean over more samples would change little."""
        taken = np.resize(np.arange(len(cloud.points)), self.model.config.n_points)
        return torch.from_numpy(cloud.points[taken])


def save(model: PointTextEncoder, path: Path, provenance: str) -> None:
    """Half precision, with what the weights were made of."""
    tensors = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    words = {"config": json.dumps(asdict(model.config)), "provenance": provenance}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, words)


def load(path: Path = SHIPPED) -> RetrievalScorer:
    """The scorer of a file. Raises ValueError where it is missing or holds other tensors."""
    if not path.is_file():
        raise ValueError(f"{path} is missing; train it: omni123-train evaluate train-scorer --out {path}")
    with safe_open(path, framework="pt") as file:
        words = file.metadata() or {}
        config = config_from_dict(RetrievalConfig, json.loads(words["config"]))
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  no dict
    model = PointTextEncoder(config)
    model.load_state_dict(tensors)
    return RetrievalScorer(model, words["provenance"])
