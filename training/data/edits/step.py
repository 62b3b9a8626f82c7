"""The step `edits`: a folder of pairs for each asset.

pairs.json lists them; <i>-source.asset.safetensors and <i>-target.asset.safetensors are their sides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.data.assets.asset import SUFFIX, Rejected, read_asset, write_asset
from training.data.steps import Item, Step

from .pairs import BY, Pair, pairs_of
from .settings import EditSettings


def make(item: Item, settings: EditSettings, data: Path, product: Path) -> dict[str, Any]:
    """The pairs of item.inputs["asset"]. Raises Rejected: too_many_faces, no_edit."""
    asset = read_asset(data / item.inputs["asset"])
    if len(asset.faces) > settings.max_faces:
        raise Rejected("too_many_faces", f"{len(asset.faces)} faces are more than edits are made of.")
    pairs = pairs_of(asset, settings)
    if not pairs:
        raise Rejected("no_edit", "No edit of it would change what can be seen.")
    product.mkdir(parents=True)
    rows = [_write(product, number, pair) for number, pair in enumerate(pairs)]
    (product / "pairs.json").write_text(json.dumps(rows, indent=1))
    short = (
        "kind",
        "instructions",
        "keys",
        "unedited_share",
        "unedited_moved",
        "seen",
        "geometry_changes",
    )
    return {"by": BY, "pairs": [{name: row[name] for name in short} for row in rows]}


EDITS: Step[EditSettings] = Step(name="edits", version=3, make=make, suffix="")


def _write(product: Path, number: int, pair: Pair) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": pair.kind, "instructions": list(pair.instructions), **pair.facts}
    row["keys"] = [pair.source.key, pair.target.key]  # what comes before "-" tells shapes apart
    for word, side in (("source", pair.source), ("target", pair.target)):
        name = f"{number}-{word}{SUFFIX}"
        write_asset(product / name, side)
        row[word] = name
    return row
