"""The pictures step: a folder of people's own images with captions becomes the pool of text_to_image.

A picture's captions are the lines of the text file beside it (cat.png, cat.txt), or the "text" or "caption"
of its row in a `metadata.jsonl` of its folder, whose "file_name" names it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from training.data.assets.asset import Rejected
from training.data.shards.pack import HELD_OUT
from training.data.steps import DataError, Item, Step

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, kw_only=True)
class PictureSettings:
    """What becomes of a picture."""

    largest: int = 512  # pixels of the shorter side that are kept
    smallest: int = 64  # pixels of the shorter side, or it is rejected
    quality: int = 92  # of JPEG
    licence: str = "unknown"  # of pictures whose row names none


def picture_items(folder: Path) -> list[Item]:
    """One item per image file. Raises DataError for a folder without any."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of pictures.")
    items = []
    rows: dict[Path, dict[str, dict[str, Any]]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            row = rows.setdefault(path.parent, _rows(path.parent)).get(path.name, {})
            inputs = {
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "captions": list(_captions(path, row)),
                "licence": row.get("licence", row.get("license")),
                "author": row.get("author"),
            }
            name, where = path.relative_to(folder).as_posix(), {"path": str(path.absolute())}
            items.append(Item(key=name, inputs=inputs, where=where))
    if not items:
        raise DataError(f"{folder} holds no pictures ({', '.join(SUFFIXES)}).")
    return items


def _rows(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "metadata.jsonl"
    if not path.is_file():
        return {}
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {row["file_name"]: row for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a list of rows with a file_name each ({error}).") from error


def _captions(path: Path, row: dict[str, Any]) -> Iterator[str]:
    beside = path.with_suffix(".txt")
    if beside.is_file():
        yield from filter(None, map(str.strip, beside.read_text("utf-8", errors="replace").splitlines()))
    for name in ("text", "caption"):
        if isinstance(row.get(name), str) and row[name].strip():
            yield row[name].strip()


def _make(item: Item, settings: PictureSettings, data: Path, product: Path) -> dict[str, Any]:
    """A JPEG, upright, no larger than needed. Raises Rejected: no_caption, unreadable, too_small."""
    if not item.inputs["captions"]:
        raise Rejected("no_caption", "Neither a text file nor a row of metadata.jsonl says what it shows.")
    image = _opened(Path(item.where["path"]))
    side = min(image.size)
    if side < settings.smallest:
        raise Rejected("too_small", f"Its shorter side has {side} pixels, less than {settings.smallest}.")
    if side > settings.largest:
        width, height = (round(length * settings.largest / side) for length in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    image.save(product, "JPEG", quality=settings.quality)
    return {
        "captions": item.inputs["captions"],
        "licence": item.inputs["licence"] or settings.licence,
        "author": item.inputs["author"],
        "source": item.key,
        "split": "val" if int(item.inputs["sha256"][:8], 16) % HELD_OUT == 0 else "train",
        "width": image.width,
        "height": image.height,
    }


def _opened(path: Path) -> Image.Image:
    """RGB on white."""
    try:
        data = io.BytesIO(path.read_bytes())
        with Image.open(data) as opened:
            turned = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise Rejected("unreadable", f"It is no whole picture: {error}.") from error
    white = Image.new("RGBA", turned.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, turned).convert("RGB")


PICTURES: Step[PictureSettings] = Step(name="pictures", version=1, make=_make, suffix=".jpg")
