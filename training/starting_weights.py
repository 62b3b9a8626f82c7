"""A stage's transformer, filled from the run of the stage before; only what a stage adds may be new.

A model folder will do for a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from backend.checkpoint import config_from_dict
from backend.image_tokenizer.interface import ImageTokenizer
from backend.model.config import TransformerConfig
from backend.model.transformer import HEAD_STD, DualStreamTransformer
from backend.sequence import SPECIALS
from backend.shape_tokenizer.interface import ShapeTokenizer
from training.loop import averaged_weights, saved_recipe
from training.model_folder import described, is_model, module_of
from training.tokenizers import Tokenizers

_ADDED = ("image_wte.", "image_head.", "image_proj.", "view_wte.")  # names of what a stage may add


def run_config(run: Path) -> TransformerConfig:
    """The transformer configuration of a run, those from before images included."""
    if is_model(run):
        given: TransformerConfig = config_from_dict(TransformerConfig, described(run)[1]["transformer"][1])
        return given
    raw: dict[str, Any] = dict(saved_recipe(run)["config"])
    if "text_width" in raw:
        raw["text"] = [{"width": raw.pop("text_width"), "tokens": raw.pop("text_tokens")}]
        added = ("n_image_codes", "image_code_dim", "n_image_tokens", "embed_image_codes", "n_views")
        raw |= {f.name: f.default for f in fields(TransformerConfig) if f.name in added}
    config: TransformerConfig = config_from_dict(TransformerConfig, raw)
    return config


def trained_transformer(run: Path) -> DualStreamTransformer:
    """The transformer of a run, averaged weights, ready for inference once it has the codebooks."""
    if is_model(run):
        return module_of(run, "transformer", DualStreamTransformer)
    transformer = DualStreamTransformer(run_config(run))
    transformer.load_state_dict(averaged_weights(run))
    return transformer.eval()


def fill(transformer: DualStreamTransformer, run: Path) -> list[str]:
    """Takes over the averaged weights of a run, or a model folder's; returns what stays as initialised.

    Raises ValueError where the run's transformer is another than this one without additions of its stage.
    """
    config, before = transformer.config, run_config(run)
    given = trained_transformer(run).state_dict() if is_model(run) else averaged_weights(run)
    may_change = {"n_image_tokens", "token_dropout"}  # neither has weights (256 tokens, then 1,024: Table 6)
    if not before.n_image_codes:
        may_change |= {"n_image_codes", "image_code_dim", "embed_image_codes"}
    if not before.n_views:
        may_change.add("n_views")
    odd = [f.name for f in fields(config) if getattr(config, f.name) != getattr(before, f.name)]
    if wrong := sorted(set(odd) - may_change):
        raise ValueError(f"{run} cannot be started from: its {', '.join(wrong)} are not this stage's")
    new = sorted(transformer.state_dict().keys() - given.keys())
    lost = sorted(given.keys() - transformer.state_dict().keys())
    if lost or any(not name.startswith(_ADDED) for name in new):
        raise ValueError(f"{run} cannot be started from: it lacks {new}, and this stage has no {lost}")
    transformer.load_state_dict(given, strict=False)
    if "view_wte.weight" in new:
        _start_views(transformer)
    return new


@torch.no_grad()
def _start_views(transformer: DualStreamTransformer) -> None:
    """A view token begins as the start token that has opened pictures until now."""
    begin = transformer.image_wte.weight[-SPECIALS]
    transformer.view_wte.weight.copy_(begin.expand_as(transformer.view_wte.weight))


@torch.no_grad()
def point_heads(transformer: DualStreamTransformer, new: Sequence[str], tokenizers: Tokenizers) -> None:
    """Heads that are new begin as random projections of the codebooks, at a quiet head's length.

    Codes that look alike then rise together from the first step on; a head of unrelated rows has to meet each
    code many times before it tells it from any other. The rows are free to part.
    """
    heads: dict[str, ShapeTokenizer | ImageTokenizer] = {"lm_head.weight": tokenizers.shape}
    if tokenizers.image is not None and transformer.config.n_image_codes:
        heads["image_head.weight"] = tokenizers.image
    for name in sorted(heads.keys() & set(new)):
        weight, codes = transformer.get_parameter(name), heads[name].codebook().detach().float().cpu()
        width = weight.shape[1]
        axes = torch.linalg.qr(torch.randn(width, codes.shape[1]))[0].T
        weight[: len(codes)] = F.normalize(codes, dim=-1) @ axes * (HEAD_STD * width**0.5)
