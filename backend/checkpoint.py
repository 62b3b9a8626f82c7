"""Model folders: config.json says what the model is, and the shards beside it hold its weights.

A folder holds named modules, such as `transformer` and `shape_tokenizer`; a tensor's name starts with its
module's.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from torch import Tensor, nn

from backend.failures import WeightsError
from backend.module_state import distinct, fill, int8_state
from backend.shards import (
    FORMAT,
    INDEX,
    SHARD_BYTES,
    StoredTensor,
    read_json,
    read_shards,
    some,
    write_json,
    write_shards,
)

CONFIG = "config.json"

# Module name -> kind -> (configuration dataclass, module class made from it).
Registries = Mapping[str, Mapping[str, tuple[type[Any], type[nn.Module]]]]
StoredType = Literal["float32", "float16", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a model is, apart from its modules."""

    preset: str  # such as mini
    text_encoder: str  # spec of the text encoder the transformer was trained with; folders lie in the model's
    licence: str  # of the weights, SPDX where possible
    provenance: str  # what made them: code version, data, recipe
    tasks: tuple[str, ...] = ("text_to_shape",)  # those of backend.tasks it was trained for
    sampling: dict[str, Any] = field(default_factory=dict)  # defaults of SamplingSettings
    # Of single tasks, what differs from these.
    task_sampling: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A loaded model folder."""

    info: ModelInfo
    modules: dict[str, nn.Module]  # in evaluation mode


def save(
    folder: Path,
    info: ModelInfo,
    modules: Mapping[str, nn.Module],
    registries: Registries,
    *,
    dtype: StoredType = "float32",
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes modules in memory as a model folder. Each has a `config`; `registries` give its kind.

    Raises ValueError like `write`, for a module of no registered kind, or for weights that are not finite in
    `dtype`. Linear layers held in int8 stay so; what a module names as `derived_rows` is left out.
    """
    described = {name: describe(name, module, registries) for name, module in modules.items()}
    tensors = {
        f"{prefix}.{name}": (_without_rows(module, name, tensor), _stored_as(module, name, dtype))
        for prefix, module in modules.items()
        for name, tensor in distinct(module)
    }
    stored = {
        name: StoredTensor(
            getattr(torch, kind) if tensor.is_floating_point() else tensor.dtype, tuple(tensor.shape)
        )
        for name, (tensor, kind) in tensors.items()
    }
    write(folder, info, described, stored, lambda name: finite(name, *tensors[name]), shard_bytes=shard_bytes)


def _stored_as(module: nn.Module, name: str, dtype: StoredType) -> StoredType:
    return dtype if name not in int8_state(module) else "float32"


def _derived_rows(module: nn.Module, name: str) -> int:
    rows: int = getattr(module, "derived_rows", {}).get(name, 0)
    return rows


def write(
    folder: Path,
    info: ModelInfo,
    described: Mapping[str, dict[str, Any]],
    stored: Mapping[str, StoredTensor],
    read: Callable[[str], Tensor],
    *,
    shard_bytes: int = SHARD_BYTES,
    furnish: Callable[[Path], None] | None = None,
) -> None:
    """Writes the folder whole or not at all, asking `read` for one tensor after another.

    A folder already there is replaced if it holds a model; other files in it, such as a model card, stay.
    `furnish` puts further files into the folder. Raises ValueError for a folder that is no model's.
    """
    if folder.exists() and not (folder / CONFIG).is_file() and any(folder.iterdir()):
        raise ValueError(f"{folder} holds something other than a model; choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        fresh = Path(scratch) / "model"
        fresh.mkdir()
        if folder.exists():
            _keep_others(folder, fresh)
        if furnish is not None:
            furnish(fresh)
        write_shards(fresh, stored, read, shard_bytes)
        write_json(fresh / CONFIG, {"format": FORMAT, **asdict(info), "modules": described})
        _swap(fresh, folder, Path(scratch) / "replaced")


def _swap(fresh: Path, folder: Path, replaced: Path) -> None:
    """`fresh` becomes `folder`; what was there goes to `replaced`, and comes back if that fails."""
    if folder.exists():
        folder.rename(replaced)
    try:
        fresh.rename(folder)
    except OSError:
        if replaced.exists():
            replaced.rename(folder)
        raise


def load(
    folder: Path,
    registries: Registries,
    *,
    device: str | torch.device = "cpu",
    only: Collection[str] | None = None,
    dtypes: Mapping[str, torch.dtype] | None = None,
) -> Model:
    """The model of a folder, or of it the modules named in `only`, after every check.

    Weights keep their stored type, float16 becoming float32, unless `dtypes` gives one for their module.
    On the CPU those that keep it are maps of the files, the others one copy; nothing is in memory twice.
    Raises WeightsError, whose sentence says what is wrong and what to do.
    """
    info, described = read_config(folder)
    wanted = described if only is None else {name: described[name] for name in only if name in described}
    if only is not None and len(wanted) < len(set(only)):
        raise WeightsError(
            f"{folder} has no {', '.join(sorted(set(only) - wanted.keys()))}; choose another model."
        )
    tensors = read_shards(folder, ("",) if only is None else tuple(f"{name}." for name in wanted))
    if only is None and (stray := sorted(n for n in tensors if n.split(".")[0] not in wanted)):
        raise WeightsError(f"{folder} has weights of no module in its config.json: {some(stray)}.")
    modules = {}
    for name, (kind, raw) in wanted.items():
        module = _build(name, kind, raw, registries)
        own = {key.removeprefix(f"{name}."): t for key, t in tensors.items() if key.startswith(f"{name}.")}
        own = {key: _with_rows(module, key, tensor) for key, tensor in own.items()}
        fill(module, own, dtype=(dtypes or {}).get(name), device=device)
        modules[name] = module.to(device).eval()
    return Model(info=info, modules=modules)


def _without_rows(module: nn.Module, name: str, tensor: Tensor) -> Tensor:
    left_out = _derived_rows(module, name)
    return tensor[left_out:] if left_out else tensor


def _with_rows(module: nn.Module, name: str, tensor: Tensor) -> Tensor:
    """A stored tensor with zeros for the rows that were left out; some folders hold them all."""
    left_out = _derived_rows(module, name)
    if not left_out or tensor.shape[0] != module.get_parameter(name).shape[0] - left_out:
        return tensor
    return torch.cat([tensor.new_zeros(left_out, *tensor.shape[1:]), tensor])


def read_config(folder: Path) -> tuple[ModelInfo, dict[str, tuple[str, dict[str, Any]]]]:
    """What a model is, and each module's kind and configuration; reads no weights. Raises WeightsError."""
    if not folder.is_dir():
        raise WeightsError(f"There is no model folder at {folder}; check the path or install the weights.")
    raw = read_json(folder / CONFIG)
    if raw.get("format") != FORMAT:
        raise WeightsError(
            f"{folder} is of model format {raw.get('format')!r} and this version reads {FORMAT}; "
            "install the matching version."
        )
    try:
        info = config_from_dict(ModelInfo, {key: raw[key] for key in raw if key not in ("format", "modules")})
        modules = {name: (str(m["kind"]), dict(m["config"])) for name, m in raw["modules"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{folder / CONFIG} is damaged ({error}); copy the model folder again.") from error
    return info, modules


def config_from_dict(kind: type[Any], raw: Mapping[str, Any]) -> Any:
    """A configuration dataclass from JSON. Raises ValueError naming unknown, missing or wrongly typed keys.

    Every field must be there: a checkpoint never leans on today's defaults.
    """
    known = {f.name for f in fields(kind)}
    if unknown := sorted(raw.keys() - known):
        raise ValueError(f"{kind.__name__} has unknown keys: {', '.join(unknown)}")
    if missing := sorted(known - raw.keys()):
        raise ValueError(f"{kind.__name__} lacks keys: {', '.join(missing)}")
    return msgspec.convert(dict(raw), kind)


def _build(name: str, kind: str, raw: Mapping[str, Any], registries: Registries) -> nn.Module:
    kinds = registries.get(name, {})
    if kind not in kinds:
        raise WeightsError(
            f"This version knows no {name} of kind {kind!r}; install the version the model asks for."
        )
    config_type, module_type = kinds[kind]
    try:
        config = config_from_dict(config_type, raw)
    except ValueError as error:
        raise WeightsError(f"The configuration of {name} does not hold: {error}.") from error
    with torch.device("meta"):  # no time and memory for values that are replaced at once
        return module_type(config)


def describe(name: str, module: nn.Module, registries: Registries) -> dict[str, Any]:
    """Kind and configuration of a module, as config.json has them."""
    for kind, (_, module_type) in registries.get(name, {}).items():
        if type(module) is module_type:
            config: Any = module.config
            return {"kind": kind, "config": asdict(config)}
    raise ValueError(f"no registered kind of {name} is a {type(module).__name__}")


def finite(name: str, tensor: Tensor, dtype: StoredType) -> Tensor:
    """A tensor as it is stored in `dtype`. Raises ValueError for values that type cannot hold."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.to(getattr(torch, dtype))
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} is not finite in {dtype}")
    return tensor


def _keep_others(folder: Path, fresh: Path) -> None:
    """Carries over what is not part of the model."""
    for entry in folder.iterdir():
        if entry.name in (CONFIG, INDEX) or entry.match("model-*-of-*.safetensors"):
            continue
        if entry.is_dir():
            shutil.copytree(entry, fresh / entry.name)
        else:
            shutil.copy2(entry, fresh / entry.name)
