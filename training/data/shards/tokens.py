"""Tokens of packed shapes, views and pictures, made once by a tokenizer that the files name.

A token file holds the rows of one shard in the same order; its metadata has the hash of the weights that made
it, and whoever reads it with another tokenizer is refused.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from training.data.shards.dataset import FOLDER, Dataset, describe
from training.data.shards.pack import Watch, file_entry
from training.data.shards.shard import TEXT, TEXTS, Shard, write_shard
from training.data.steps import DataError, Item, Pool, Result, Step, run

# Which shards each kind of tokenizer reads, and what its tokens of them are called.
TOKENS: Mapping[str, Mapping[str, str]] = {
    "shape": {"shapes": "shape_tokens", "edit_shapes": "edit_shape_tokens"},
    "image": {"views": "view_tokens", "pictures": "picture_tokens"},
}
_ROW = ("key", "split", "category", "licence", "author", "source")


@dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """How rows are tokenised."""

    points: int = 4096  # surface points that the shape tokenizer reads
    batch: int = 32


def weights_hash(module: nn.Module) -> str:
    """sha256 over the tensors of a tokenizer that decide its ids: all but those that only decode."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if not name.startswith(("decoder.", "occupancy_decoder.")):
            digest.update(f"{name}{tuple(value.shape)}".encode())
            digest.update(value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=2)
def tokenizer_of(kind: str, run_folder: str) -> Any:
    """The tokenizer of a training run, once per process. Raises ValueError where there is none."""
    if kind == "shape":
        from training.shape_tokenizer import trained_tokenizer

        return trained_tokenizer(Path(run_folder))
    from training.image_tokenizer import trained_image_tokenizer

    return trained_image_tokenizer(Path(run_folder))


def require_tokenizer(shard: Shard, made_by: str | None) -> None:
    """Raises ValueError for tokens of another tokenizer than the one with this hash of its weights."""
    if shard.metadata.get("tokenizer") != made_by:
        raise ValueError(
            f"{shard.path} was made by another tokenizer; run `omni123-train tokens` with this one first"
        )


@torch.inference_mode()
def _make(item: Item, settings: TokenSettings, data: Path, product: Path, *, kind: str) -> dict[str, Any]:
    """Tokens of the shard that the item names; item.where says in which run the tokenizer lies."""
    shard = Shard(data / item.inputs["shard"])
    tokenizer = tokenizer_of(kind, item.where["run"])
    made_by = weights_hash(tokenizer)
    if made_by != item.inputs["tokenizer"]:
        raise ValueError(f"the tokenizer of {item.where['run']} changed while it was used")
    encode: Callable[..., NDArray[Any]] = _shape_ids if kind == "shape" else _image_ids
    columns: dict[str, Any] = {name: shard.texts(name) for name in _ROW}
    types = {**dict.fromkeys(_ROW, TEXT), "names": TEXTS}
    if "names" in shard.names:
        columns["names"] = shard.texts("names")
    smallest = np.uint16 if tokenizer.config.n_codes <= 1 << 16 else np.uint32
    columns["ids"] = encode(shard, tokenizer, settings).astype(smallest)
    metadata = {"of": item.inputs["shard"], "tokenizer": made_by, "n_codes": tokenizer.config.n_codes}
    write_shard(product, columns, types, metadata)
    return dict(item.inputs["entry"])


def _shape_ids(shard: Shard, tokenizer: Any, settings: TokenSettings) -> NDArray[Any]:
    """(rows, tokens) of surface points."""
    points, normals = (shard.arrays(name)[:, : settings.points] for name in ("points", "normals"))
    parts = []
    for start in range(0, len(shard), settings.batch):
        part = slice(start, start + settings.batch)
        read = (points[part].astype(np.float32), normals[part].astype(np.float32) / 127)
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(tokenizer.encode(*(torch.from_numpy(array) for array in read)))
    return torch.cat(parts).numpy()


def _image_ids(shard: Shard, tokenizer: Any, settings: TokenSettings) -> NDArray[Any]:
    """(rows, views, tokens) of rendered views, (rows, tokens) of pictures."""
    of_views = "color" in shard.names
    files = shard.texts("color") if of_views else [[file] for file in shard.texts("image")]
    flat = [file for row in files for file in row]
    if len({len(row) for row in files}) != 1:
        raise ValueError(f"{shard.path} holds assets of different numbers of views; draw all alike")
    parts = []
    for start in range(0, len(flat), settings.batch):
        chosen = flat[start : start + settings.batch]
        pixels = np.stack([pixels_of(file, tokenizer.config.size) for file in chosen])
        images: Tensor = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(tokenizer.encode(images))
    ids = torch.cat(parts).numpy()
    return ids.reshape(len(files), -1, ids.shape[-1]) if of_views else ids


def pixels_of(file: bytes, size: int) -> NDArray[np.uint8]:
    """(size, size, 3) sRGB of an image file's middle square, on white where it is transparent."""
    with Image.open(io.BytesIO(file)) as opened:
        image = opened.convert("RGBA")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    middle = image.crop((left, top, left + side, top + side))
    white = Image.new("RGBA", middle.size, (255, 255, 255, 255))
    flat = Image.alpha_composite(white, middle).convert("RGB")
    return np.asarray(flat.resize((size, size), Image.Resampling.LANCZOS) if side != size else flat)


def token_step(kind: str, name: str) -> Step[TokenSettings]:
    return Step(name=f"{FOLDER}/{name}", version=1, make=partial(_make, kind=kind), suffix=".arrow")


def tokenise(
    data: Path, kind: str, run_folder: Path, settings: TokenSettings, pool: Pool, watch: Watch
) -> dict[str, Sequence[Result]]:
    """Tokens of every shard in `data` that this kind of tokenizer reads; does nothing where they are there.

    Raises DataError when there are no such shards or a file could not be made.
    """
    dataset = Dataset(data)
    try:
        made_by = weights_hash(tokenizer_of(kind, str(run_folder)))
    except (ValueError, FileNotFoundError) as error:
        raise DataError(f"{run_folder} is no run of a {kind} tokenizer: {error}.") from error
    results: dict[str, Sequence[Result]] = {}
    for shards, name in TOKENS[kind].items():
        if shards not in dataset.modalities:
            continue
        items = [
            _item(entry, made_by, run_folder) for entry in dataset.description["modalities"][shards]["files"]
        ]
        made = run(token_step(kind, name), settings, items, data, pool, watch(name, len(items)))
        if lost := [result.rejected for result in made if result.rejected is not None]:
            raise DataError(f"Tokens of {shards} could not be made: {lost[0].detail}")
        results[name] = made
    if not results:
        raise DataError(f"{data} holds no {' or '.join(TOKENS[kind])} to tokenise; make shards first.")
    describe(data / FOLDER, {name: [file_entry(result, data) for result in r] for name, r in results.items()})
    return results


def _item(entry: Mapping[str, Any], made_by: str, run_folder: Path) -> Item:
    kept = {name: entry[name] for name in ("bucket", "rows", "licences")} | {
        "samples": {},
        "of": entry["file"],
    }
    inputs = {"shard": f"{FOLDER}/{entry['file']}", "tokenizer": made_by, "entry": kept}
    return Item(key=entry["file"], inputs=inputs, where={"run": str(run_folder.absolute())})
