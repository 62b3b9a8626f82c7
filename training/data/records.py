"""What became of each asset on its way through the steps, one line of JSON each; the report reads these."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Record:
    """One asset, or one file that gave none."""

    source: str
    key: str | None = None  # None: it never became an asset
    name: str = ""
    category: str | None = None
    licence: str = "unknown"
    author: str | None = None
    notes: tuple[str, ...] = ()
    step: str | None = None  # that rejected it; None: kept
    reason: str | None = None
    detail: str = ""
    measures: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # by step, wall time of its worker

    @property
    def kept(self) -> bool:
        return self.step is None


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Written whole or not at all."""
    unfinished = path.with_suffix(".partial")
    lines = (json.dumps(asdict(record), ensure_ascii=False) for record in records)
    unfinished.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    unfinished.replace(path)


def read_records(path: Path) -> Sequence[Record]:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Record(**{**row, "notes": tuple(row["notes"])}) for row in rows]
