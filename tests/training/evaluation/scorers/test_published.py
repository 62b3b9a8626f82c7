"""Published judges, on small random weights under the published tensor names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from training.evaluation.scorers.interface import Cloud
from training.evaluation.scorers.openclip import END, START
from training.evaluation.scorers.patches import farthest, group, normalised
from training.evaluation.scorers.published import load
from training.evaluation.scorers.ulip2 import Ulip2
from training.evaluation.scorers.uni3d import Uni3D

WIDTH, PATCH, EMBEDDING = 64, 16, 24
Tensors = dict[str, Tensor]


def linear(name: str, rows: int, columns: int, bias: bool = True) -> Tensors:
    made = {f"{name}.weight": torch.randn(rows, columns) / columns**0.5}
    return made | ({f"{name}.bias": torch.randn(rows) / 10} if bias else {})


def norm(name: str, width: int) -> Tensors:
    return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}


def patch_encoder(prefix: str, channels: int) -> Tensors:
    made: Tensors = {}
    for name, rows, columns in (
        ("first_conv.0", 128, channels),
        ("first_conv.3", 256, 128),
        ("second_conv.0", 512, 512),
        ("second_conv.3", PATCH, 512),
    ):
        made |= {f"{prefix}.{name}.weight": torch.randn(rows, columns, 1) / columns**0.5}
        made |= {f"{prefix}.{name}.bias": torch.zeros(rows)}
    for name, width in (("first_conv.1", 128), ("second_conv.1", 512)):
        made |= norm(f"{prefix}.{name}", width)
        made |= {
            f"{prefix}.{name}.running_mean": torch.zeros(width),
            f"{prefix}.{name}.running_var": torch.ones(width),
            f"{prefix}.{name}.num_batches_tracked": torch.tensor(7),
        }
    return made


def bridge(prefix: str, name: str) -> Tensors:
    return {
        **linear(f"{prefix}.{name}", WIDTH, PATCH),
        f"{prefix}.cls_token": torch.randn(1, 1, WIDTH),
        f"{prefix}.cls_pos": torch.randn(1, 1, WIDTH),
        **linear(f"{prefix}.pos_embed.0", 128, 3),
        **linear(f"{prefix}.pos_embed.2", WIDTH, 128),
    }


def ulip2(channels: int = 6) -> Tensors:
    """As published: behind `module.`, with tensors of no interest here."""
    made = patch_encoder("point_encoder.encoder", channels) | bridge("point_encoder", "reduce_dim")
    for layer in range(2):
        block = f"point_encoder.blocks.blocks.{layer}"
        made |= norm(f"{block}.norm1", WIDTH) | norm(f"{block}.norm2", WIDTH)
        made |= linear(f"{block}.attn.qkv", 3 * WIDTH, WIDTH, bias=False)
        made |= linear(f"{block}.attn.proj", WIDTH, WIDTH)
        made |= linear(f"{block}.mlp.fc1", 4 * WIDTH, WIDTH) | linear(f"{block}.mlp.fc2", WIDTH, 4 * WIDTH)
    made |= norm("point_encoder.norm", WIDTH)
    made |= {"pc_projection": torch.randn(2 * WIDTH, EMBEDDING), "logit_scale": torch.tensor(1.0)}
    return {f"module.{name}": value for name, value in made.items()}


def uni3d(kind: str) -> Tensors:
    """giant: fused projections, GELU; small: fused, packed SwiGLU; large: split, normalised SwiGLU."""
    made = patch_encoder("point_encoder.encoder", 6) | bridge("point_encoder", "encoder2trans")
    made |= linear("point_encoder.trans2embed", EMBEDDING, WIDTH)
    made |= norm("point_encoder.visual.fc_norm", WIDTH)
    made |= {"point_encoder.visual.pos_embed": torch.zeros(1, 5, WIDTH)}  # of the image model
    for layer in range(2):
        block = f"point_encoder.visual.blocks.{layer}"
        made |= norm(f"{block}.norm1", WIDTH) | norm(f"{block}.norm2", WIDTH)
        made |= linear(f"{block}.attn.proj", WIDTH, WIDTH)
        if kind == "large":
            for name, bias in (("q_proj", True), ("k_proj", False), ("v_proj", True)):
                made |= linear(f"{block}.attn.{name}", WIDTH, WIDTH, bias)
            made |= linear(f"{block}.mlp.fc1_g", 96, WIDTH) | linear(f"{block}.mlp.fc1_x", 96, WIDTH)
            made |= norm(f"{block}.mlp.norm", 96) | linear(f"{block}.mlp.fc2", WIDTH, 96)
        else:
            made |= linear(f"{block}.attn.qkv", 3 * WIDTH, WIDTH, bias=False)
            made |= {f"{block}.attn.{name}": torch.randn(WIDTH) for name in ("q_bias", "v_bias")}
            inner = 192 if kind == "small" else 96
            made |= linear(f"{block}.mlp.fc1", inner, WIDTH) | linear(f"{block}.mlp.fc2", WIDTH, 96)
    return made


def text_tower(prefix: str) -> Tensors:
    made = {
        "token_embedding.weight": torch.randn(12, WIDTH),
        "positional_embedding": torch.randn(8, WIDTH),
        "text_projection": torch.randn(WIDTH, EMBEDDING),
        **norm("ln_final", WIDTH),
    }
    for layer in range(2):
        block = f"transformer.resblocks.{layer}"
        made |= norm(f"{block}.ln_1", WIDTH) | norm(f"{block}.ln_2", WIDTH)
        made |= {
            f"{block}.attn.in_proj_weight": torch.randn(3 * WIDTH, WIDTH) / 8,
            f"{block}.attn.in_proj_bias": torch.zeros(3 * WIDTH),
        }
        made |= linear(f"{block}.attn.out_proj", WIDTH, WIDTH)
        made |= linear(f"{block}.mlp.c_fc", 4 * WIDTH, WIDTH) | linear(
            f"{block}.mlp.c_proj", WIDTH, 4 * WIDTH
        )
    return {f"{prefix}{name}": value for name, value in made.items()}


def folder(path: Path, points: Tensors, prefix: str = "") -> Path:
    path.mkdir()
    save_file(points, path / "points.safetensors")
    save_file(text_tower(prefix), path / "text.safetensors")
    words = ["a", "red", "blue", "chair", "table", "round", "big", "of", "wood"]
    vocabulary = {word: number for number, word in enumerate([*words, "?", START, END])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path / "tokenizer.json"))
    return path


@pytest.fixture(autouse=True)
def few_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published number costs seconds."""
    for kind in (Ulip2, Uni3D):
        monkeypatch.setattr(kind, "patches", 12)
        monkeypatch.setattr(kind, "patch_size", 8)


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    rng = np.random.default_rng(0)
    return Cloud(points=rng.normal(size=(64, 3)).astype(np.float32))


@pytest.mark.parametrize("kind", ["ulip2", "giant", "small", "large"])
def test_words_and_shapes_meet_in_one_space(tmp_path: Path, cloud: Cloud, kind: str) -> None:
    torch.manual_seed(0)
    scorer = load(folder(tmp_path / "judge", ulip2() if kind == "ulip2" else uni3d(kind)))
    shapes, texts = scorer.shapes([cloud]), scorer.texts(["a red chair", "a round table"])
    assert scorer.name == ("ULIP-T" if kind == "ulip2" else "Uni3D-T")
    assert shapes.shape == (1, EMBEDDING)
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(shapes.norm(dim=1), torch.ones(1))


def test_size_and_place_of_a_shape_do_not_matter(tmp_path: Path, cloud: Cloud) -> None:
    torch.manual_seed(0)
    scorer = load(folder(tmp_path / "judge", ulip2(channels=3), prefix="text."))
    moved = Cloud(points=3 * cloud.points + 1)
    torch.testing.assert_close(scorer.shapes([cloud]), scorer.shapes([moved]), atol=1e-3, rtol=0)


def test_colour_is_seen(tmp_path: Path, cloud: Cloud) -> None:
    torch.manual_seed(0)
    scorer = load(folder(tmp_path / "judge", uni3d("large")))
    red = Cloud(points=cloud.points, colors=np.tile(np.array([255, 0, 0], np.uint8), (64, 1)))
    assert (scorer.shapes([cloud]) - scorer.shapes([red])).abs().max() > 1e-3


def test_pads_of_shorter_prompts_do_not_matter(tmp_path: Path) -> None:
    torch.manual_seed(0)
    scorer = load(folder(tmp_path / "judge", ulip2()))
    together = scorer.texts(
        ["a chair", "a big round table of wood", "a big red big red big red big red chair"]
    )
    torch.testing.assert_close(scorer.texts(["a chair"])[0], together[0], atol=1e-5, rtol=1e-4)


def test_a_checkpoint_that_lacks_a_tensor_is_named(tmp_path: Path) -> None:
    tensors = ulip2()
    del tensors["module.point_encoder.norm.weight"]
    with pytest.raises(ValueError, match=r"point_encoder\.norm\.weight"):
        load(folder(tmp_path / "judge", tensors))


def test_something_else_is_no_judge(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither ULIP-2"):
        load(folder(tmp_path / "judge", {"weight": torch.zeros(1)}))
    with pytest.raises(ValueError, match="convert"):
        load(tmp_path)


def test_farthest_points_are_the_corners() -> None:
    corners = torch.tensor([[[0.0, 0, 0], [0.1, 0, 0], [1, 0, 0], [0.9, 0, 0], [0, 1, 0]]])
    assert set(farthest(corners, 3)[0].tolist()) == {0, 2, 4}
    with pytest.raises(ValueError, match="6 patches"):
        farthest(corners, 6)


def test_a_patch_holds_the_points_nearest_to_its_centre() -> None:
    points = torch.tensor([[[0.0, 0, 0], [0.1, 0, 0], [1, 0, 0], [0.9, 0, 0]]])
    centres, patches = group(points, points, 2, 2)
    assert centres[0, :, 0].tolist() == [0, 1]
    torch.testing.assert_close(patches[0, :, :, 0].sort().values, torch.tensor([[0, 0.1], [-0.1, 0]]))
    torch.testing.assert_close(patches[0, :, :, 3:] - centres[0, :, None], patches[0, :, :, :3])


def test_normalised_points_touch_the_unit_sphere() -> None:
    made = normalised(torch.randn(2, 50, 3) + 4)
    torch.testing.assert_close(made.norm(dim=-1).amax(dim=1), torch.ones(2))
    torch.testing.assert_close(made.mean(dim=1), torch.zeros(2, 3), atol=1e-6, rtol=0)
