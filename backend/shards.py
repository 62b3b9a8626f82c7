"""The files of a model folder: safetensors shards, an index of checksums, and JSON. Nothing is unpickled.

Shards are written tensor by tensor and read through memory maps, so a model is never in memory twice.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from backend.failures import WeightsError

FORMAT = 1
INDEX = "model.safetensors.index.json"
SHARD_BYTES = 15_900_000  # of tensors; with its header a file stays below 16 MB, which suits a repository
LARGE_SHARD_BYTES = 1_000_000_000  # for models that are no part of a repository
# The format's names of the types a shard may hold.
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
CODES = {dtype: code for code, dtype in TYPES.items()}


@dataclass(frozen=True)
class StoredTensor:
    """What a safetensors header says of one tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.count * self.dtype.itemsize


def write_shards(
    folder: Path,
    stored: Mapping[str, StoredTensor],
    read: Callable[[str], Tensor],
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Shards of at most `shard_bytes`, a larger tensor in one of its own, and the index describing them.

    Each tensor is asked of `read` once, when its turn comes, and dropped when it is written.
    """
    shards = _divided(stored, shard_bytes)
    files: dict[str, Any] = {}
    for number, names in enumerate(shards, start=1):
        path = folder / f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        files[path.name] = _write_shard(path, {name: stored[name] for name in names}, read)
    where = {name: file for file, names in zip(files, shards, strict=True) for name in names}
    write_json(folder / INDEX, {"format": FORMAT, "files": files, "weight_map": where})


def _divided(stored: Mapping[str, StoredTensor], shard_bytes: int) -> list[list[str]]:
    """Names in their order, cut where a shard is full."""
    shards: list[list[str]] = [[]]
    room = shard_bytes
    for name, tensor in stored.items():
        if shards[-1] and tensor.nbytes > room:
            shards.append([])
            room = shard_bytes
        shards[-1].append(name)
        room -= tensor.nbytes
    return shards


def _write_shard(
    path: Path, stored: Mapping[str, StoredTensor], read: Callable[[str], Tensor]
) -> dict[str, int | str]:
    """One safetensors file; its length and checksum. Wider types come first, so that all are aligned."""
    names = sorted(stored, key=lambda name: -stored[name].dtype.itemsize)
    header: dict[str, Any] = {}
    end = 0
    for name in names:
        begin, end = end, end + stored[name].nbytes
        dtype, shape = CODES[stored[name].dtype], list(stored[name].shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for part in (len(text).to_bytes(8, "little"), text):
            file.write(part)
            digest.update(part)
        for name in names:
            tensor = read(name)
            if (tensor.dtype, tuple(tensor.shape)) != (stored[name].dtype, stored[name].shape):
                raise ValueError(f"{name} is {tensor.dtype} {tuple(tensor.shape)}, not {stored[name]}")
            data = tensor.contiguous().flatten().view(torch.uint8).numpy().data
            file.write(data)
            digest.update(data)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def read_shards(folder: Path, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Tensors of the files that hold names with these prefixes, once their checksums agree.

    They are maps of the files: memory is used where they are read, and their change stays in this process.
    """
    where, sums = read_index(folder)
    tensors: dict[str, Tensor] = {}
    for file in dict.fromkeys(file for name, file in where.items() if name.startswith(prefixes)):
        path = _member(folder, file, sums)
        if path.is_file() and sha256(path) != sums[file]:
            raise WeightsError(
                f"{path} is damaged: its checksum differs from the index. Copy the model folder again."
            )
        tensors.update(read_tensors(path))
    if lost := sorted(name for name in where if name.startswith(prefixes) and name not in tensors):
        raise WeightsError(
            f"{folder} lacks tensors its index promises: {some(lost)}. Copy the model folder again."
        )
    return tensors


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """What the headers of a model folder's shards say, no weights read. Raises WeightsError."""
    where, sums = read_index(folder)
    stored: dict[str, StoredTensor] = {}
    for file in dict.fromkeys(where.values()):
        stored.update(read_header(_member(folder, file, sums)))
    return stored


def n_parameters(stored: Mapping[str, StoredTensor]) -> int:
    """Elements of all tensors, without the scales that int8 weights carry."""
    scales = {f"{name.removesuffix('.weight')}.scale" for name, t in stored.items() if t.dtype == torch.int8}
    return sum(tensor.count for name, tensor in stored.items() if name not in scales)


def read_index(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The file of each tensor, and each file's checksum. Raises WeightsError."""
    index = read_json(folder / INDEX)
    try:
        where = {str(name): str(file) for name, file in index["weight_map"].items()}
        sums = {str(name): str(entry["sha256"]) for name, entry in index["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{folder / INDEX} is damaged ({error}); copy the model folder again.") from error
    return where, sums


def _member(folder: Path, file: str, sums: Mapping[str, str]) -> Path:
    path = folder / file
    if Path(file).name != file or path.suffix != ".safetensors" or file not in sums:
        raise WeightsError(
            f"{folder / INDEX} names a file it may not ({file!r}); copy the model folder again."
        )
    return path


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, mapped. Raises WeightsError when it is missing or something else."""
    with opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Type and shape of each tensor of a safetensors file. Raises WeightsError."""
    with opened(path) as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        kinds = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    if odd := sorted(name for name, (code, _) in kinds.items() if code not in TYPES):
        raise WeightsError(f"{path} holds types this version does not read: {some(odd)}.")
    return {name: StoredTensor(TYPES[code], shape) for name, (code, shape) in kinds.items()}


def opened(path: Path) -> Any:
    """A safetensors file, to be used in a `with` statement."""
    if not path.is_file():
        raise WeightsError(f"There is no file {path}; check the path or copy the model folder again.")
    try:
        return safe_open(path, framework="pt")
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
    """Indented, and on disk before the rename that makes it count."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def some(names: list[str]) -> str:
    """The first few names, for a sentence."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more
