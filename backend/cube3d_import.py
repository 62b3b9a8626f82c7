"""Published Cube3D files to a model folder of ours, tensor by tensor: 7 GB need no 7 GB of memory.

The transformer is stored in the type asked for. The tokenizer stays in float32: it is small, and the sign of
its field is the surface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from backend import published
from backend.checkpoint import ModelInfo, describe, finite, write
from backend.failures import WeightsError
from backend.model.config import TextInput
from backend.model.quantized import block_linears, quantized
from backend.model.text import CLIPTextEncoder
from backend.model.text.pretrained import source
from backend.model.transformer import DualStreamTransformer
from backend.models import REGISTRIES
from backend.module_state import aliases, check_names
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer
from backend.shards import LARGE_SHARD_BYTES, StoredTensor, opened, read_header, read_json, sha256

WeightType = Literal["float32", "bfloat16", "int8"]
CLIP_FOLDER = "clip"
NOTICE_FILE = "LICENCE-OF-THE-WEIGHTS.txt"
Plan = dict[str, tuple[StoredTensor, Callable[[], Tensor]]]  # what is stored, and how it is made


def import_cube3d(
    gpt: Path,
    tokenizer: Path,
    clip: str,
    out: Path,
    *,
    config: Path | None = None,
    dtype: WeightType = "float32",
    shard_bytes: int = LARGE_SHARD_BYTES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ModelInfo:
    """Writes the model folder `out`, whole or not at all; `progress` hears bytes written and to write.

    `clip` is a folder, whose text half is copied, or a hub id, which is recorded. Raises ValueError with one
    sentence, naming missing, unknown and misshapen tensors.
    """
    if dtype not in get_args(WeightType):
        raise ValueError(
            f"Weights cannot be stored as {dtype!r}; choose {' or '.join(get_args(WeightType))}."
        )
    raw = {} if config is None else read_json(config)
    shape_tokenizer = _tokenizer(tokenizer, raw.get("shape_model"))
    encoder, spec = _text_encoder(clip)
    transformer = _transformer(gpt, shape_tokenizer, encoder, raw.get("gpt_model"))
    modules: dict[str, nn.Module] = {"transformer": transformer, "shape_tokenizer": shape_tokenizer}
    info = ModelInfo(
        preset=published.preset(transformer.config, shape_tokenizer.config),
        text_encoder=spec,
        licence=published.LICENCE,
        provenance=f"published files {_named(gpt)}, {_named(tokenizer)}; transformer stored in {dtype}",
        sampling=published.SAMPLING,
    )
    with ExitStack() as files:
        plan = {
            **_plan("transformer", transformer, files.enter_context(opened(gpt)), dtype),
            **_plan("shape_tokenizer", shape_tokenizer, files.enter_context(opened(tokenizer)), "float32"),
        }
        write(
            out,
            info,
            {name: describe(name, module, REGISTRIES) for name, module in modules.items()},
            {name: stored for name, (stored, _) in plan.items()},
            _reader(plan, progress),
            shard_bytes=shard_bytes,
            furnish=partial(_furnish, encoder),
        )
    return info


def _tokenizer(path: Path, raw: Mapping[str, Any] | None) -> PerceiverShapeTokenizer:
    """On the meta device, its names and shapes compared with the file's."""
    header = read_header(path)
    with _blaming(path):
        config = published.tokenizer_config(header, raw)
        with torch.device("meta"):
            tokenizer = PerceiverShapeTokenizer(config)
        _check(tokenizer, header)
    return tokenizer


def _transformer(
    path: Path,
    tokenizer: PerceiverShapeTokenizer,
    encoder: CLIPTextEncoder | None,
    raw: Mapping[str, Any] | None,
) -> DualStreamTransformer:
    """On the meta device, compared with the file, the tokenizer's codes and the text encoder's widths."""
    header = read_header(path)
    codes = tokenizer.config
    with _blaming(path):
        config = published.transformer_config(
            header,
            n_shape_tokens=codes.n_tokens,
            text_tokens=published.TEXT_TOKENS if encoder is None else encoder.max_tokens,
            raw=raw,
        )
        with torch.device("meta"):
            transformer = DualStreamTransformer(config)
        _check(transformer, header)
        found = (config.n_shape_codes, config.shape_code_dim)
        if found != (codes.n_codes, codes.code_dim):
            raise WeightsError(
                f"It has {found[0]} codes of width {found[1]} and the tokenizer {codes.n_codes} of "
                f"{codes.code_dim}. Take both files from one release."
            )
        reads = config.text[0]
        if encoder is not None and reads != TextInput(width=encoder.widths[0], tokens=encoder.max_tokens):
            raise WeightsError(
                f"It reads text of width {reads.width} and CLIP gives {encoder.widths[0]}. "
                "Published models go with the CLIP model their config names."
            )
    return transformer


def _check(module: nn.Module, header: published.Header) -> None:
    """Names and shapes; a tied tensor may come under any of its names."""
    state = module.state_dict(keep_vars=True)
    given = {name: stored.shape for name, stored in header.items()}
    for names in aliases(state):
        for name in names:
            if found := [other for other in names if other in header]:
                given.setdefault(name, header[found[0]].shape)
    check_names({name: tuple(tensor.shape) for name, tensor in state.items()}, given)


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _text_encoder(clip: str) -> tuple[CLIPTextEncoder | None, str]:
    """CLIP where it is a folder, and what config.json says of it."""
    where = source(clip)
    if not Path(where).is_dir():
        return None, f"clip:{where}"
    return CLIPTextEncoder(where), f"clip:./{CLIP_FOLDER}"


def _furnish(encoder: CLIPTextEncoder | None, folder: Path) -> None:
    """The licence notice, and CLIP's text half with its tokenizer: the folder is then complete in itself."""
    (folder / NOTICE_FILE).write_text(published.NOTICE, encoding="utf-8")
    if encoder is not None:
        encoder.save(folder / CLIP_FOLDER)


def _plan(prefix: str, module: nn.Module, file: Any, dtype: WeightType) -> Plan:
    """Every tensor of a module, read from an open file when its turn comes; a tied one is stored once."""
    state, known = module.state_dict(keep_vars=True), set(file.keys())
    held = set(block_linears(module)) if dtype == "int8" else set()
    kind: Literal["float32", "bfloat16"] = "float32" if dtype == "int8" else dtype
    plan: Plan = {}
    for names in aliases(state):
        read = partial(_read, file, [name for name in names if name in known], kind)
        name, shape = f"{prefix}.{names[0]}", tuple(state[names[0]].shape)
        owner, _, last = names[0].rpartition(".")
        if owner in held and last == "weight":
            plan[name] = StoredTensor(torch.int8, shape), partial(_half, read, 0)
            plan[f"{prefix}.{owner}.scale"] = StoredTensor(torch.float32, shape[:1]), partial(_half, read, 1)
        else:
            plan[name] = StoredTensor(getattr(torch, kind), shape), read
    return plan


def _read(file: Any, names: list[str], dtype: Literal["float32", "bfloat16"]) -> Tensor:
    tensor = finite(names[0], file.get_tensor(names[0]), dtype)
    for name in names[1:]:
        if not torch.equal(tensor, file.get_tensor(name).to(tensor.dtype)):
            raise WeightsError(f"The weights give one tensor two values: {names[0]}, {name}.")
    return tensor


def _half(read: Callable[[], Tensor], which: int) -> Tensor:
    """int8 weights (0) or their scales (1)."""
    return quantized(read())[which]


def _reader(plan: Plan, progress: Callable[[int, int], None]) -> Callable[[str], Tensor]:
    total = sum(stored.nbytes for stored, _ in plan.values())
    done = 0

    def read(name: str) -> Tensor:
        nonlocal done
        stored, make = plan[name]
        done += stored.nbytes
        progress(done, total)
        return make()

    return read


def _named(path: Path) -> str:
    return f"{path.name} (sha256 {sha256(path)})"
