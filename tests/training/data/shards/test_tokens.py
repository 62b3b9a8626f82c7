"""Token shards: made once per tokenizer, refused when another made them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig
from training.data.shards import tokens
from training.data.shards.dataset import Dataset
from training.data.shards.tokens import TokenSettings, tokenise, weights_hash
from training.data.steps import DataError, Pool
from training.token_pools import Hashes, TokenPool, open_pools

CONFIG = GridShapeTokenizerConfig(
    token_grid=2, n_codes=64, code_dim=4, width=8, mid_width=8, field_width=8, n_attention=0, n_heads=1
)


def tokenizer(seed: int = 0) -> GridShapeTokenizer:
    torch.manual_seed(seed)
    return GridShapeTokenizer(CONFIG).eval()


@pytest.fixture
def data(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(packed, tmp_path / "data")
    monkeypatch.setattr(tokens, "tokenizer_of", lambda kind, run: tokenizer(int(Path(run).name)))
    return tmp_path / "data"


def encode(data: Path, here: Pool, seed: int = 0) -> dict[str, Any]:
    watch = lambda name, total: lambda result: None  # noqa: E731
    return dict(tokenise(data, "shape", Path(str(seed)), TokenSettings(batch=2), here, watch))


def captioned(data: Path, seed: int) -> TokenPool:
    hashes: Hashes = {"shape": weights_hash(tokenizer(seed))}
    return open_pools(Dataset(data), ["text-3D"], "train", hashes)["text-3D"]


def test_tokens_are_those_of_the_tokenizer_with_their_captions(data: Path, here: Pool) -> None:
    encode(data, here)
    found = captioned(data, 0)
    shards = Dataset(data).shards("shapes")
    stored = {key: (shard, row) for shard in shards for row, key in enumerate(shard.texts("key"))}
    for sample in (found.sample(row) for row in range(len(found))):
        assert sample.shape is not None
        shard, row = stored[sample.key]
        points = torch.from_numpy(shard.arrays("points")[row : row + 1].astype(np.float32))
        normals = torch.from_numpy(shard.arrays("normals")[row : row + 1].astype(np.float32) / 127)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            assert tokenizer().encode(points, normals)[0].tolist() == sample.shape.tolist()
        assert sum(map(len, sample.captions)) >= 3


def test_a_second_run_does_nothing(data: Path, here: Pool) -> None:
    assert not any(result.cached for result in encode(data, here)["shape_tokens"])
    assert all(result.cached for result in encode(data, here)["shape_tokens"])


def test_stale_tokens_are_refused(data: Path, here: Pool) -> None:
    encode(data, here, 0)
    with pytest.raises(ValueError, match="made by another tokenizer"):
        captioned(data, 1)
    encode(data, here, 1)
    assert len(captioned(data, 1))


def test_weights_that_only_decode_keep_tokens_valid() -> None:
    one, other = tokenizer(), tokenizer()
    with torch.no_grad():
        next(other.decoder.parameters()).add_(1)
    assert weights_hash(one) == weights_hash(other)
    assert weights_hash(one) != weights_hash(tokenizer(1))


def test_there_must_be_something_to_tokenise(data: Path, here: Pool) -> None:
    (data / "shards/dataset.json").write_text('{"format": 1, "modalities": {}, "tasks": [], "licences": {}}')
    with pytest.raises(DataError, match="no shapes or edit_shapes to tokenise"):
        encode(data, here)
