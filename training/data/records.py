"""What became of each asset on its way through the steps, joined from the results of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.data.assets.steps import entries
from training.data.steps import Result

# A step that stops an asset. The others add to it: what they reject stays without a caption or an edit.
GATES = ("ingest", "filter", "duplicates", "geometry", "views")
Results = Mapping[str, Sequence[Result]]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One asset, or one source or object of it that gave none."""

    source: str
    key: str | None = None  # None: it never became an asset
    asset: str | None = None  # its file, relative to the data folder
    name: str = ""
    category: str | None = None
    licence: str = "unknown"
    author: str | None = None
    notes: tuple[str, ...] = ()
    step: str | None = None  # the gate that stopped it; None: kept
    reason: str | None = None
    detail: str = ""
    results: Mapping[str, Result] = field(default_factory=dict)  # by step, after ingest

    @property
    def kept(self) -> bool:
        return self.step is None

    def facts(self, step: str) -> Mapping[str, Any]:
        """What a step found out; nothing where it has not run on it, or rejected it."""
        return self.results[step].facts if step in self.results else {}

    def row(self) -> dict[str, Any]:
        """JSON values for people's own tables."""
        words = {name: value for name, value in vars(self).items() if name != "results"}
        return words | {
            "measures": self.facts("filter").get("measures", {}),
            "seconds": {step: round(result.seconds, 4) for step, result in self.results.items()},
            "products": {step: result.product for step, result in self.results.items() if result.product},
        }


def make_records(results: Results) -> list[Record]:
    """In the order of the sources: each source's assets, then what of it gave none."""
    by_key: dict[str, dict[str, Result]] = {}
    for step, found in results.items():
        if step != "ingest":
            for result in found:
                by_key.setdefault(result.key, {})[step] = result
    made = []
    for ingested in results.get("ingest", ()):
        made += [_asset(ingested, entry, by_key.get(entry["key"], {})) for _, entry in entries([ingested])]
        made += [Record(step="ingest", **lost) for lost in ingested.facts.get("rejected", ())]
        if (lost := ingested.rejected) is not None:
            made.append(Record(source=ingested.key, step="ingest", reason=lost.reason, detail=lost.detail))
    return made


def _asset(ingested: Result, entry: Mapping[str, Any], results: Mapping[str, Result]) -> Record:
    stopped = next((step for step in GATES if step in results and results[step].rejected is not None), None)
    rejected = None if stopped is None else results[stopped].rejected
    match = results["duplicates"].facts if "duplicates" in results else {}
    notes, detail = tuple(entry["notes"]), rejected.detail if rejected is not None else ""
    if match and stopped is None:
        notes = (*notes, match["kind"])
        detail = f"Its surface lies within {match['distance']:.2%} of {match['of_source']}."
    return Record(
        source=entry["source"],
        key=entry["key"],
        asset=f"{ingested.product}/{entry['file']}",
        name=entry["name"],
        category=entry["category"],
        licence=entry["licence"],
        author=entry["author"],
        notes=notes,
        step=stopped,
        reason=None if rejected is None else rejected.reason,
        detail=detail,
        results=results,
    )


def write_records(path: Path, records: Iterable[Record]) -> None:
    """A line of JSON each; written whole or not at all."""
    unfinished = path.with_suffix(".partial")
    lines = (json.dumps(record.row(), ensure_ascii=False) for record in records)
    unfinished.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    unfinished.replace(path)
