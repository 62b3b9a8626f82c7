"""What published Cube3D files say of themselves: sizes from the shapes of tensors, the rest known values.

The shape_gpt and shape_tokenizer files of v0.1 and v0.5, and models of other sizes in the same format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from backend.failures import WeightsError
from backend.geometry.canonical import UpAxis, turn
from backend.model.config import TextInput, TransformerConfig
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizerConfig, published_config
from backend.shards import StoredTensor, some

Header = Mapping[str, StoredTensor]

LICENCE = "Cube3D Research-Only RAIL-MS (Roblox)"
NOTICE = """\
These weights are, or derive from, Roblox's Cube3D and keep its licence, Cube3D Research-Only RAIL-MS:
research use only, under the restrictions that it lists. Omni123's own licence does not extend to them.
Read the licence that Roblox published beside the files; whether your use is within it, you decide.
"""
# What tensors do not hold.
ROPE_THETA = 10_000.0
EPS = 1e-6
TEXT_TOKENS = 77  # of CLIP
# The published sampler: guidance that falls linearly from 3, greedy; its nucleus, where a temperature is set.
SAMPLING = {"guidance": 3.0, "guidance_schedule": "linear", "temperature": 0.0, "top_p": 0.9}
BOX_SIDE = 1.925  # longest side of a published box


def published_box(sides: tuple[float, float, float], up_axis: UpAxis = "y") -> Tensor:
    """The box input (3,) float32 from sides in Blender's frame, Z up, in any unit: only their ratios matter.

    `up_axis` is that of the model's frame. Raises ValueError unless all sides are positive.
    """
    if not all(math.isfinite(side) and side > 0 for side in sides):
        raise ValueError(f"the sides of a box must be positive, not {sides}")
    box = torch.from_numpy(turn(sides, "z", up_axis)).abs()
    return (box * (BOX_SIDE / box.max())).float()


def transformer_config(
    header: Header, *, n_shape_tokens: int, text_tokens: int, raw: Mapping[str, Any] | None = None
) -> TransformerConfig:
    """The configuration of a shape_gpt file; `raw` is the `gpt_model` section of its config, if there is one.

    Raises WeightsError where tensors are missing, or disagree with it.
    """
    width, text_width = _shape(header, "text_proj.weight", 2)
    n_rows, _ = _shape(header, "transformer.wte.weight", 2)
    (head_dim,) = _shape(header, "transformer.dual_blocks.0.attn.pre_x.q_norm.weight", 1)
    hidden, _ = _shape(header, "transformer.dual_blocks.0.post_1.mlp.gate_proj.weight", 2)
    sizes: dict[str, Any] = {
        "n_dual": _layers(header, "transformer.dual_blocks."),
        "n_single": _layers(header, "transformer.single_blocks."),
        "width": width,
        "n_heads": _quotient("the width", width, "the head width", head_dim),
        "mlp_ratio": _quotient("the hidden width", hidden, "the width", width),
        "bias": "text_proj.bias" in header,
        "n_shape_codes": n_rows - 3,
        "shape_code_dim": _shape(header, "shape_proj.weight", 2)[1],
        "use_bbox": "bbox_proj.weight" in header,
    }
    constants: dict[str, Any] = {"rope_theta": ROPE_THETA, "eps": EPS}
    if raw is not None:
        constants = _agreed("gpt_model", {**sizes, "text_width": text_width}, raw, GPT_FIELDS)
    try:
        return TransformerConfig(
            **sizes,
            **constants,
            n_shape_tokens=n_shape_tokens,
            text=(TextInput(width=text_width, tokens=text_tokens),),
            learned_null_text=False,
        )
    except ValueError as error:
        raise WeightsError(f"The transformer's sizes do not hold: {error}.") from error


# Our names of the fields of `gpt_model`.
GPT_FIELDS = {
    "n_layer": "n_dual",
    "n_single_layer": "n_single",
    "n_embd": "width",
    "n_head": "n_heads",
    "bias": "bias",
    "shape_model_vocab_size": "n_shape_codes",
    "shape_model_embed_dim": "shape_code_dim",
    "text_model_embed_dim": "text_width",
    "use_bbox": "use_bbox",
    "rope_theta": "rope_theta",
    "eps": "eps",
}


def _agreed(
    section: str, sizes: Mapping[str, Any], raw: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, float]:
    """What a config gives beyond the sizes, once all that both give is equal."""
    if raw.get("use_pooled_text_embed"):
        raise WeightsError("A model with use_pooled_text_embed reads one embedding per prompt; unsupported.")
    given = {ours: raw[theirs] for theirs, ours in names.items() if theirs in raw}
    # v0.1 was written before there were boxes.
    given.setdefault("use_bbox", False)
    if missing := sorted(theirs for theirs, ours in names.items() if ours not in given):
        raise WeightsError(f"The config's {section} lacks {some(missing)}; give the whole file.")
    differing = [
        f"{theirs} {given[ours]} against {sizes[ours]}"
        for theirs, ours in names.items()
        if ours in sizes and given[ours] != sizes[ours]
    ]
    if differing:
        raise WeightsError(
            f"The config's {section} and the tensors disagree: {some(differing)}. "
            "Give the config of these files."
        )
    return {ours: float(value) for ours, value in given.items() if ours not in sizes}


def tokenizer_config(header: Header, raw: Mapping[str, Any] | None = None) -> PerceiverShapeTokenizerConfig:
    """The configuration of a shape_tokenizer file; `raw` is its config's `shape_model`, if there is one."""
    n_latents, width = _shape(header, "decoder.positional_encodings", 2)
    _, n_freqs = _shape(header, _one_of(header, EMBEDDERS), 2)
    n_codes, code_dim = _shape(header, "bottleneck.block.codebook.weight", 2)
    (head_dim,) = _shape(header, "decoder.blocks.0.attn.q_norm.weight", 1)
    n_layers = _layers(header, "encoder.blocks.")
    levels = [n for n in range(n_layers) if f"encoder.blocks.{n}.attn.c_q.weight" in header]
    inputs = _shape(header, "encoder.feat_in.in_layer.weight", 2)[1]
    sizes: dict[str, Any] = {
        "n_latents": n_latents,
        "n_codes": n_codes,
        "code_dim": code_dim,
        "width": width,
        "n_heads": _quotient("the tokenizer's width", width, "its head width", head_dim),
        "n_freqs": n_freqs,
        "n_encoder_layers": n_layers,
        "cross_attention_levels": tuple(levels),
        "n_decoder_layers": _layers(header, "decoder.blocks."),
        "point_feats": inputs - (3 + 6 * n_freqs),
    }
    eps = EPS
    try:
        if raw is not None:
            given = asdict(published_config(raw))
            eps = given["eps"]
            differing = [f"{k} {given[k]} against {v}" for k, v in sizes.items() if given[k] != v]
            if differing:
                raise WeightsError(f"The config's shape_model and the tensors disagree: {some(differing)}.")
        return PerceiverShapeTokenizerConfig(**sizes, eps=eps)
    except KeyError as error:
        raise WeightsError(f"The config's shape_model lacks {error}; give the whole file.") from error
    except ValueError as error:
        raise error if isinstance(error, WeightsError) else WeightsError(f"{error}.") from error


# One tensor, stored under any of these names or all of them.
EMBEDDERS = ("embedder.weight", "encoder.embedder.weight", "occupancy_decoder.embedder.weight")


def preset(transformer: TransformerConfig, tokenizer: PerceiverShapeTokenizerConfig) -> str:
    """The published model with these sizes, or plainly cube3d."""
    if transformer.n_dual + transformer.n_single == 24 and transformer.width == 1536:
        if transformer.use_bbox and tokenizer.n_latents == 1024:
            return "cube3d-v0.5"
        if not transformer.use_bbox and tokenizer.n_latents == 512:
            return "cube3d-v0.1"
    return "cube3d"


def _shape(header: Header, name: str, dimensions: int) -> tuple[int, ...]:
    if name not in header:
        raise WeightsError(f"There is no {name}; is this the published file that its option asks for?")
    shape = header[name].shape
    if len(shape) != dimensions:
        raise WeightsError(f"{name} has shape {shape}, which a published file would not have.")
    return shape


def _one_of(header: Header, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in header), names[0])


def _layers(header: Header, prefix: str) -> int:
    numbers = [name.removeprefix(prefix).split(".")[0] for name in header if name.startswith(prefix)]
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)


def _quotient(name: str, value: int, by: str, divisor: int) -> int:
    if divisor < 1 or value % divisor:
        raise WeightsError(
            f"{name} {value} does not divide by {by} {divisor}; the file is of no known format."
        )
    return value // divisor
