"""The files of a model folder: safetensors shards, an index of checksums, and JSON. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from backend.failures import WeightsError

FORMAT = 1
INDEX = "model.safetensors.index.json"
SHARD_BYTES = 15_900_000  # of tensors; with its header a file stays below 16 MB


def write_shards(folder: Path, tensors: Mapping[str, Tensor], shard_bytes: int = SHARD_BYTES) -> None:
    """Shards of at most `shard_bytes`, a larger tensor in one of its own, and the index describing them."""
    shards: list[dict[str, Tensor]] = [{}]
    room = shard_bytes
    for name, tensor in tensors.items():
        if shards[-1] and tensor.nbytes > room:
            shards.append({})
            room = shard_bytes
        shards[-1][name] = tensor
        room -= tensor.nbytes
    files: dict[str, Any] = {}
    where: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        path = folder / f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, path)
        _flush(path)
        files[path.name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        where.update(dict.fromkeys(shard, path.name))
    write_json(folder / INDEX, {"format": FORMAT, "files": files, "weight_map": where})


def read_shards(folder: Path, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Tensors of the files that hold names with these prefixes, once their checksums agree."""
    index = read_json(folder / INDEX)
    try:
        where = {str(name): str(file) for name, file in index["weight_map"].items()}
        sums = {str(name): str(entry["sha256"]) for name, entry in index["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{folder / INDEX} is damaged ({error}); copy the model folder again.") from error
    tensors: dict[str, Tensor] = {}
    for file in dict.fromkeys(file for name, file in where.items() if name.startswith(prefixes)):
        path = folder / file
        if Path(file).name != file or path.suffix != ".safetensors" or file not in sums:
            raise WeightsError(
                f"{folder / INDEX} names a file it may not ({file!r}); copy the model folder again."
            )
        if path.is_file() and _sha256(path) != sums[file]:
            raise WeightsError(
                f"{path} is damaged: its checksum differs from the index. Copy the model folder again."
            )
        tensors.update(read_tensors(path))
    if lost := sorted(name for name in where if name.startswith(prefixes) and name not in tensors):
        raise WeightsError(
            f"{folder} lacks tensors its index promises: {some(lost)}. Copy the model folder again."
        )
    return tensors


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file. Raises WeightsError when it is missing or is something else."""
    if not path.is_file():
        raise WeightsError(f"There is no file {path}; check the path or copy the model folder again.")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is not a safetensors file ({error}); get the weights in that format."
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of a model folder. Raises WeightsError."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path.parent} is not a model folder: it has no {path.name}. Check the path."
        ) from error
    except ValueError as error:
        raise WeightsError(f"{path} is damaged ({error}); copy the model folder again.") from error
    if not isinstance(raw, dict):
        raise WeightsError(f"{path} is damaged (it holds no object); copy the model folder again.")
    return raw


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    _flush(path)


def _flush(path: Path) -> None:
    """On disk before the rename that makes it count."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def some(names: list[str]) -> str:
    """The first few names, for a sentence."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more
