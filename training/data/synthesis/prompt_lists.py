"""Long lists of prompts, chunk by chunk: text files, JSON lines, or Parquet tables such as DiffusionDB's."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.data.assets.asset import Rejected
from training.data.steps import DataError, Item, Result, Step
from training.data.synthesis.prompts import CurationSettings, Prompt, curate

CHUNK = 1 << 20  # bytes of a text list, about ten thousand prompts
_COLUMN, _SCORE = "prompt", "prompt_nsfw"  # as DiffusionDB names them
_LISTS = (".txt", ".jsonl", ".parquet")
_EXAMPLES = 3  # of each reason, kept with the facts
_LONGEST = 2000  # characters of a prompt


def prompt_items(path: Path) -> list[Item]:
    """One item per chunk of a list, named by what is in it. Raises DataError."""
    if not path.is_file() or path.suffix.lower() not in _LISTS:
        raise DataError(f"{path} is no list of prompts; give a file that ends in {', '.join(_LISTS)}.")
    where = {"path": str(path.absolute())}
    if path.suffix.lower() == ".parquet":
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        groups = range(_parquet(path).num_row_groups)
        chunks: list[dict[str, Any]] = [{"sha256": digest, "group": group} for group in groups]
    else:
        chunks = [
            {"sha256": hashlib.sha256(text).hexdigest(), "kind": path.suffix.lower(), "start": start}
            for start, text in _chunks(path)
        ]
    return [Item(key=f"{path.name}/{i}", inputs=chunk, where=where) for i, chunk in enumerate(chunks)]


def _chunks(path: Path) -> Iterator[tuple[int, bytes]]:
    """(first byte, whole lines)"""
    start = 0
    with path.open("rb") as file:
        while text := file.read(CHUNK):
            text += file.readline()
            yield start, text
            start += len(text)


def _parquet(path: Path) -> Any:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        table: Any = ParquetFile(path)  # type: ignore[no-untyped-call]
    except ArrowInvalid as error:
        raise DataError(f"{path} is no Parquet table: {error}.") from error
    if _COLUMN not in table.schema_arrow.names:
        raise DataError(f"{path} has no column {_COLUMN!r}; it has {', '.join(table.schema_arrow.names)}.")
    return table


def _read(item: Item) -> Iterator[tuple[str, float]]:
    """(prompt, score of what is unsafe in it)"""
    path = Path(item.where["path"])
    if "group" in item.inputs:
        table = _parquet(path)
        columns = [name for name in (_COLUMN, _SCORE) if name in table.schema_arrow.names]
        rows = table.read_row_group(item.inputs["group"], columns=columns).to_pydict()
        yield from zip(rows[_COLUMN], rows.get(_SCORE, [0.0] * len(rows[_COLUMN])), strict=True)
        return
    with path.open("rb") as file:
        file.seek(item.inputs["start"])
        text = file.read(CHUNK)
        text += file.readline()
    for line in text.decode("utf-8", errors="replace").splitlines():
        if line.strip() and item.inputs["kind"] == ".txt":
            yield line, 0.0
        elif line.strip():
            yield _row(line)


def _row(line: str) -> tuple[str, float]:
    """An unreadable line is an empty prompt, which is refused and counted."""
    try:
        row = json.loads(line)
        return str(row[_COLUMN]), float(row.get(_SCORE) or 0.0)
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", 0.0


def _curate(item: Item, settings: CurationSettings, data: Path, product: Path) -> dict[str, Any]:
    """JSON lines of the prompts kept, each once; the facts count and show what was refused."""
    reasons, examples = Counter[str](), dict[str, list[str]]()
    kept: dict[str, Prompt] = {}
    total = 0
    for text, score in _read(item):
        total += 1
        try:
            if score is not None and score > settings.nsfw:
                raise Rejected("unsafe", f"Its score is {score:.2f}.")
            prompt = curate(text[:_LONGEST], settings)
            kept.setdefault(prompt.key, prompt)
        except Rejected as rejected:
            reasons[rejected.reason] += 1
            shown = examples.setdefault(rejected.reason, [])
            if len(shown) < _EXAMPLES:
                shown.append(text[:120])
    lines = [json.dumps(asdict(prompt), ensure_ascii=False) for prompt in kept.values()]
    product.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    repeated = total - reasons.total() - len(kept)
    facts = {"read": total, "kept": len(kept), "repeated": repeated, "reasons": dict(reasons)}
    return {**facts, "examples": examples}


PROMPTS: Step[CurationSettings] = Step(name="prompts", version=1, make=_curate, suffix=".jsonl")


def curated(results: Sequence[Result], data: Path, settings: CurationSettings) -> Iterator[Prompt]:
    """All prompts kept, each once, in the order of the list, no subject more often than allowed."""
    seen, subjects = set[str](), Counter[str]()
    for result in results:
        if result.product is None:
            continue
        for line in (data / result.product).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["key"] in seen or subjects[row["subject"]] >= settings.per_subject:
                continue
            seen.add(row["key"])
            subjects[row["subject"]] += 1
            yield Prompt(**{**row, "dropped": tuple(row["dropped"])})
