"""Token files: made once per tokenizer, refused when another made them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig
from training.data.shape_samples import ShapeSamples
from training.data.shape_tokens import (
    Surface,
    encode,
    load_tokens,
    sampled_surfaces,
    weights_hash,
)

CONFIG = GridShapeTokenizerConfig(
    token_grid=2, n_codes=64, code_dim=4, width=8, mid_width=8, field_width=8, n_attention=0, n_heads=1
)


def tokenizer(seed: int = 0) -> GridShapeTokenizer:
    torch.manual_seed(seed)
    return GridShapeTokenizer(CONFIG).eval()


def surfaces(count: int = 5) -> Iterator[Surface]:
    rng = np.random.default_rng(0)
    for row in range(count):
        normals = rng.normal(size=(64, 3)).astype(np.float32)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        yield Surface(
            id=f"ball/{row}",
            source="wall" if row == 1 else "ball",
            captions=("ball", f"ball {row}"),
            points=normals * (0.3 + 0.1 * row),
            normals=normals,
        )


def untouched() -> Iterator[Surface]:
    raise AssertionError("nothing was to be encoded")
    yield from ()


def test_tokens_are_those_of_the_tokenizer_in_order(tmp_path: Path) -> None:
    path, module = tmp_path / "new" / "balls.safetensors", tokenizer()
    encode(surfaces(), 5, module, path, batch=2)
    tokens, every = load_tokens(path, module), list(surfaces())
    assert (len(tokens), tokens.ids.shape, tokens.ids.dtype) == (5, (5, 8), np.uint16)
    points, normals = (
        torch.from_numpy(np.stack([getattr(surface, name) for surface in every]))
        for name in ("points", "normals")
    )
    ids = module.encode(points, normals).numpy()
    assert (tokens.ids == ids).mean() > 0.9  # encoded in half precision, where near ties may fall otherwise
    assert len(np.unique(ids, axis=0)) == 5
    assert tokens.names == [surface.id for surface in every]
    assert tokens.captions == [surface.captions for surface in every]


def test_sources_can_be_left_out(tmp_path: Path) -> None:
    encode(surfaces(), 5, tokenizer(), tmp_path / "t.safetensors")
    tokens = load_tokens(tmp_path / "t.safetensors", tokenizer(), keep=lambda source: source != "wall")
    assert tokens.names == ["ball/0", "ball/2", "ball/3", "ball/4"]
    assert tokens.probabilities() == pytest.approx([0.25] * 4)


def test_a_second_run_encodes_nothing_unless_tokenizer_or_count_changed(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    encode(surfaces(), 5, tokenizer(), path)
    encode(untouched(), 5, tokenizer(), path)
    encode(surfaces(3), 3, tokenizer(), path)
    assert len(load_tokens(path, tokenizer())) == 3
    encode(surfaces(3), 3, tokenizer(seed=1), path)
    assert len(load_tokens(path, tokenizer(seed=1))) == 3


def test_tokens_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    encode(surfaces(), 5, tokenizer(), tmp_path / "t.safetensors")
    with pytest.raises(ValueError, match=r"made by another tokenizer; run `omni123-train tokens` again"):
        load_tokens(tmp_path / "t.safetensors", tokenizer(seed=1))


def test_missing_tokens_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"t\.safetensors does not exist; run `omni123-train tokens` first"):
        load_tokens(tmp_path / "t.safetensors", tokenizer())


def test_an_encoding_cut_short_leaves_no_file(tmp_path: Path) -> None:
    def cut() -> Iterator[Surface]:
        yield from surfaces(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(cut(), 5, tokenizer(), tmp_path / "t.safetensors", batch=1)
    assert list(tmp_path.iterdir()) == []


def test_hash_follows_names_shapes_and_what_decides_the_ids() -> None:
    module = tokenizer()
    assert weights_hash(module) == weights_hash(tokenizer())
    with torch.no_grad():
        module.decoder.positions[0, 0] += 1
    assert weights_hash(module) == weights_hash(tokenizer()), "a better decoder keeps tokens valid"
    with torch.no_grad():
        module.encoder.stem.bias[0] += 1e-6
    assert weights_hash(module) != weights_hash(tokenizer())
    assert weights_hash(torch.nn.Linear(2, 8)) != weights_hash(torch.nn.Linear(8, 2))


def test_surfaces_are_those_of_the_shards(balls: ShapeSamples) -> None:
    surfaces = list(sampled_surfaces(balls))
    assert [surface.id for surface in surfaces] == balls.ids
    assert np.array_equal(surfaces[3].points, balls.points[3])
    assert np.allclose(np.linalg.norm(surfaces[3].normals, axis=1), 1, atol=0.02)
