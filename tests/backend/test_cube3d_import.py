"""Published files through the command: their numerics, other sizes, other types, and what is refused.

Measured differences are shown with --log-cli-level=info.
"""

from __future__ import annotations

import json
import logging
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file, save_model
from torch import Tensor
from typer.testing import CliRunner

from backend import cube3d_import, published
from backend.checkpoint import Model, load, read_config
from backend.cli import app
from backend.cube3d_import import NOTICE_FILE, import_cube3d
from backend.engine import Engine
from backend.events import Request, Result
from backend.geometry.canonical import BOUNDS
from backend.jobs import run_alone
from backend.model.config import TextInput, TransformerConfig
from backend.model.quantized import QuantizedLinear
from backend.model.text import TextEmbeddings, text_encoder
from backend.model.transformer import DualStreamTransformer
from backend.models import REGISTRIES
from backend.pipeline import Pipeline
from backend.sampling import SamplingSettings
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer, PerceiverShapeTokenizerConfig
from backend.tasks import TASKS

LOG = logging.getLogger(__name__)
Maker = Callable[..., Path]
SHARED = Path(os.environ.get("OMNI123_SHARED", Path(__file__).resolve().parents[3] / "shared"))
GOLDEN = SHARED / "golden" / "cube3d-small"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden vectors are not on this machine")


def imported(out: Path, clip: Path, *options: str) -> Model:
    """The golden files through the command line, loaded."""
    arguments = ["weights", "import-cube3d", "--gpt", str(GOLDEN / "shape_gpt.safetensors")]
    arguments += ["--tokenizer", str(GOLDEN / "shape_tokenizer.safetensors"), "--clip", str(clip)]
    result = CliRunner().invoke(app, [*arguments, "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    assert "research" in result.stdout
    return load(out, REGISTRIES)


def parts(model: Model) -> tuple[DualStreamTransformer, PerceiverShapeTokenizer]:
    transformer = cast(DualStreamTransformer, model.modules["transformer"])
    tokenizer = cast(PerceiverShapeTokenizer, model.modules["shape_tokenizer"])
    transformer.set_codebooks(tokenizer.codebook(), None)
    return transformer, tokenizer


def text(embeddings: Tensor) -> TextEmbeddings:
    return TextEmbeddings((embeddings,), (torch.ones(embeddings.shape[:2], dtype=torch.bool),))


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    with np.load(GOLDEN / "expected.npz", allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def teacher_forced(transformer: DualStreamTransformer, expected: dict[str, Tensor]) -> Tensor:
    ids = expected["shape_ids"]
    bos = torch.full((len(ids), 1), transformer.config.n_shape_codes)
    with torch.no_grad():
        logits = transformer(
            torch.cat((bos, ids[:, :-1]), dim=1), text(expected["text_embeddings"]), bbox=expected["bbox"]
        )["shape"]
    return logits.view(*ids.shape, -1).float()


@needs_golden
@pytest.mark.parametrize("config", [[], ["--config", str(GOLDEN / "config.json")]])
def test_the_published_numerics_come_through(
    tmp_path: Path, make_clip: Maker, expected: dict[str, Tensor], config: list[str]
) -> None:
    transformer, tokenizer = parts(imported(tmp_path / "m", make_clip(tmp_path / "c", 48, 11), *config))
    points, normals = expected["surface_points"].split(3, dim=-1)
    axis = torch.linspace(-BOUNDS, BOUNDS, 17)
    grid = torch.cartesian_prod(axis, axis, axis).expand(2, -1, -1)
    with torch.no_grad():
        latents = tokenizer.decode(expected["shape_ids"])
        found = {
            "teacher_forced_logits": teacher_forced(transformer, expected),
            "encoder_latents": tokenizer.encoder(points, normals),
            "codebook": tokenizer.codebook(),
            "decoded_latents": latents,
            "occupancy_logits": tokenizer.field(latents, expected["query_points"]),
            "grid_logits": tokenizer.field(latents, grid).view(2, 17, 17, 17),
        }
        assert torch.equal(tokenizer.encode(points, normals), expected["encoder_ids"])
    most = {name: (value - expected[name]).abs().max().item() for name, value in found.items()}
    LOG.info("largest differences: %s", most)
    assert max(most.values()) < 1e-4


@needs_golden
def test_greedy_ids_are_the_published_uncached_ones(
    tmp_path: Path, make_clip: Maker, expected: dict[str, Tensor]
) -> None:
    model = imported(tmp_path / "m", make_clip(tmp_path / "c", 48, 11))
    engine = Engine(parts(model)[0], torch.device("cpu"), null_text=text(expected["null_text_embeddings"]))
    settings = SamplingSettings(**model.info.sampling)
    layout = TASKS["text_to_shape"].layout()
    # Both at once: neither changes the other.
    chains = [
        engine.start(text(words[None]), layout, [], settings, bbox=box)
        for words, box in zip(expected["text_embeddings"], expected["bbox"], strict=True)
    ]
    for _ in expected["greedy_ids"][0]:
        engine.advance()
    assert [chain.codes[0].tolist() for chain in chains] == expected["greedy_ids"].tolist()


@needs_golden
@pytest.mark.parametrize(("dtype", "near"), [("bfloat16", 0.02), ("int8", 0.03)])
def test_smaller_types_stay_near(
    tmp_path: Path, make_clip: Maker, expected: dict[str, Tensor], dtype: str, near: float
) -> None:
    model = imported(tmp_path / "m", make_clip(tmp_path / "c", 48, 11), "--dtype", dtype)
    transformer, tokenizer = parts(model)
    linear = transformer.transformer.single_blocks[0].mlp.gate_proj  # type: ignore[union-attr]
    assert linear.weight.dtype == getattr(torch, dtype)
    assert isinstance(linear, QuantizedLinear) == (dtype == "int8")
    assert tokenizer.codebook().dtype == torch.float32
    off = (teacher_forced(transformer, expected) - expected["teacher_forced_logits"]).abs()
    spread = expected["teacher_forced_logits"].std()
    LOG.info("%s: off by %g at most, %g on average; logits spread %g", dtype, off.max(), off.mean(), spread)
    assert off.mean() < near * spread


@needs_golden
def test_the_folder_is_complete_in_itself(tmp_path: Path, make_clip: Maker) -> None:
    clip = make_clip(tmp_path / "c", 48, 11)
    wanted = text_encoder(f"clip:{clip}").encode(["", "a chair"])
    imported(tmp_path / "m", clip)
    for file in clip.iterdir():
        file.unlink()
    info, _ = read_config(tmp_path / "m")
    encoder = text_encoder(info.text_encoder, tmp_path / "m")
    assert torch.equal(encoder.encode(["", "a chair"]).parts[0], wanted.parts[0])
    assert "research" in (tmp_path / "m" / NOTICE_FILE).read_text()
    assert info.licence == published.LICENCE
    assert info.sampling["guidance_schedule"] == "linear"


@needs_golden
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_the_result_serves_shapes_that_fill_a_box(tmp_path: Path, make_clip: Maker, dtype: str) -> None:
    imported(tmp_path / "m", make_clip(tmp_path / "c", 48, 11), "--dtype", dtype)
    pipeline = Pipeline.load(tmp_path / "m", "cpu")
    shapes = []
    for box in (None, (1.0, 0.5, 2.0)):
        *_, last = run_alone(pipeline, Request(prompt="a chair", box=box, cells=16))
        assert isinstance(last, Result)
        assert last.tokens is not None
        shapes.append(last.tokens.tolist())
    assert pipeline.capabilities()["box"]
    assert shapes[0] != shapes[1]


SIZES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"n_dual": 1, "n_single": 0, "width": 24, "n_heads": 3, "use_bbox": False}, {"n_latents": 5}),
    ({"n_dual": 2, "n_single": 3, "width": 16, "n_heads": 1, "mlp_ratio": 2}, {"n_freqs": 7, "n_codes": 9}),
    ({"n_dual": 3, "n_single": 1, "width": 40, "n_heads": 4, "bias": False}, {"code_dim": 3, "width": 48}),
    ({"n_dual": 11, "n_single": 2, "width": 8, "n_heads": 2}, {"point_feats": 4, "n_decoder_layers": 11}),
]


def written(folder: Path, gpt: dict[str, Any], shape: dict[str, Any]) -> tuple[Path, Path]:
    """A random published pair; the tokenizer has every name of its tied tensor where sizes are odd."""
    small = {"n_latents": 4, "n_codes": 12, "code_dim": 4, "width": 16, "n_heads": 4, "n_freqs": 8}
    small |= {"n_encoder_layers": 3, "cross_attention_levels": (0, 2), "n_decoder_layers": 2} | shape
    torch.manual_seed(0)
    tokenizer = PerceiverShapeTokenizer(PerceiverShapeTokenizerConfig(**small))
    of_codes = {name: getattr(tokenizer.config, name) for name in ("n_codes", "code_dim", "n_latents")}
    config = TransformerConfig(
        **{"use_bbox": True, "rope_theta": 10_000.0, "learned_null_text": False} | gpt,
        n_shape_codes=of_codes["n_codes"],
        shape_code_dim=of_codes["code_dim"],
        n_shape_tokens=of_codes["n_latents"],
        text=(TextInput(width=32, tokens=9),),
    )
    transformer = DualStreamTransformer(config)
    folder.mkdir()
    paths = folder / "shape_gpt.safetensors", folder / "shape_tokenizer.safetensors"
    save_file(transformer.state_dict(), paths[0])
    if config.n_dual % 2:
        save_file({name: tensor.clone() for name, tensor in tokenizer.state_dict().items()}, paths[1])
    else:
        save_model(tokenizer, str(paths[1]))
    return paths


@pytest.mark.parametrize(("gpt", "shape"), SIZES)
def test_other_sizes_come_through_whole(
    tmp_path: Path, make_clip: Maker, gpt: dict[str, Any], shape: dict[str, Any]
) -> None:
    files = written(tmp_path / "files", gpt, shape)
    clip = make_clip(tmp_path / "c", 32, 9)
    import_cube3d(*files, str(clip), tmp_path / "m", shard_bytes=2000)
    back = load(tmp_path / "m", REGISTRIES).modules
    for module, path in zip(("transformer", "shape_tokenizer"), files, strict=True):
        state = back[module].state_dict()
        for name, tensor in load_file(path).items():
            assert torch.equal(state[name], tensor), name
    for dtype in ("bfloat16", "int8"):
        import_cube3d(*files, str(clip), tmp_path / "m", dtype=dtype)  # type: ignore[arg-type]
        parts(load(tmp_path / "m", REGISTRIES))


def altered(path: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    change(tensors)
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (0, lambda t: t.pop("lm_head.weight"), r"shape_gpt.*lack lm_head\.weight"),
        (0, lambda t: t.update(extra=torch.zeros(1)), "shape_gpt.*unknown extra"),
        (1, lambda t: t.pop("encoder.ln_f.bias"), r"shape_tokenizer.*lack encoder\.ln_f\.bias"),
        (
            0,
            lambda t: t.update({"transformer.dual_blocks.0.attn.pre_x.c_v.weight": torch.zeros(2, 2)}),
            r"another shape for .*\.pre_x\.c_v\.weight \(2, 2\) instead of \(24, 24\)",
        ),
        (1, lambda t: t.update({"encoder.embedder.weight": torch.zeros(3, 8)}), "one tensor two values"),
        (0, lambda t: t["lm_head.weight"].fill_(torch.nan), r"lm_head\.weight is not finite"),
    ],
)
def test_files_that_are_not_whole_are_refused(
    tmp_path: Path, make_clip: Maker, file: int, change: Callable[[dict[str, Tensor]], Any], message: str
) -> None:
    files = written(tmp_path / "files", *SIZES[0])
    altered(files[file], change)
    with pytest.raises(ValueError, match=message):
        import_cube3d(*files, str(make_clip(tmp_path / "c", 32, 9)), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, make_clip: Maker) -> None:
    gpt, tokenizer = written(tmp_path / "a", *SIZES[0])
    clip = str(make_clip(tmp_path / "c", 32, 9))
    with pytest.raises(ValueError, match="12 codes of width 4 and the tokenizer 9 of 4"):
        import_cube3d(gpt, written(tmp_path / "b", *SIZES[1])[1], clip, tmp_path / "m")
    with pytest.raises(ValueError, match="reads text of width 32 and CLIP gives 48"):
        import_cube3d(gpt, tokenizer, str(make_clip(tmp_path / "d", 48, 9)), tmp_path / "m")
    with pytest.raises(ValueError, match=r"no text_proj\.weight"):
        import_cube3d(tokenizer, tokenizer, clip, tmp_path / "m")


def test_a_hub_id_is_recorded(tmp_path: Path) -> None:
    files = written(tmp_path / "files", *SIZES[0])
    info = import_cube3d(*files, "somebody/clip", tmp_path / "m")
    assert info.text_encoder == "clip:somebody/clip"
    config = load(tmp_path / "m", REGISTRIES, only=["transformer"]).modules["transformer"].config
    assert cast(TransformerConfig, config).text == (TextInput(width=32, tokens=77),)


def test_no_more_than_one_tensor_is_held(
    tmp_path: Path, make_clip: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written(tmp_path / "files", {**SIZES[1][0], "width": 64}, SIZES[1][1])
    alive: weakref.WeakSet[Tensor] = weakref.WeakSet()
    most, read = 0, cube3d_import._read

    def counted(*arguments: Any) -> Tensor:
        nonlocal most
        tensor = read(*arguments)
        alive.add(tensor)
        most = max(most, len(alive))
        return tensor

    monkeypatch.setattr(cube3d_import, "_read", counted)
    import_cube3d(*files, str(make_clip(tmp_path / "c", 32, 9)), tmp_path / "m", dtype="int8")
    assert most <= 2  # the one being written and the next


def test_the_command_says_what_is_wrong_and_what_is_there(tmp_path: Path, make_clip: Maker) -> None:
    gpt, tokenizer = written(tmp_path / "files", *SIZES[0])
    options = ["--gpt", str(gpt), "--tokenizer", str(tokenizer), "--out", str(tmp_path / "m")]
    command = ["weights", "import-cube3d", *options]
    result = CliRunner().invoke(app, [*command, "--clip", str(tmp_path / "nothing")])
    assert result.exit_code == 1
    assert "no text encoder folder" in result.output
    clip = str(make_clip(tmp_path / "c", 32, 9))
    assert CliRunner().invoke(app, [*command, "--clip", clip, "--dtype", "int8"]).exit_code == 0
    told = CliRunner().invoke(app, ["weights", "info", str(tmp_path / "m")]).output
    count = sum(tensor.numel() for tensor in load_file(gpt).values())
    for wanted in ("RAIL-MS", f"{count:,} parameters", "int8", "n_dual 1", "clip:./clip"):
        assert wanted in told
    assert CliRunner().invoke(app, ["weights", "info", str(tmp_path)]).exit_code == 1


def test_a_config_of_another_model_is_refused(tmp_path: Path, make_clip: Maker) -> None:
    files = written(tmp_path / "files", *SIZES[0])
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"shape_model": {"num_codes": 3}}))
    with pytest.raises(ValueError, match="shape_model lacks"):
        import_cube3d(*files, str(make_clip(tmp_path / "c", 32, 9)), tmp_path / "m", config=config)
