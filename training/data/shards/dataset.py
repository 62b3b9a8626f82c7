"""A folder of shards that describes itself: `dataset.json` says which files belong to it and what they hold.

dataset = Dataset(Path("data/shards"))
dataset.rows("shapes", "train"), dataset.tasks, dataset.licences
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from training.data.shards.pools import pool_counts, tasks_served
from training.data.shards.shard import Shard
from training.data.steps import DataError

FOLDER, NAME, FORMAT = "shards", "dataset.json", 1


class Dataset:
    """What `dataset.json` lists. Raises DataError where there is none of use, ValueError for torn files."""

    def __init__(self, folder: Path) -> None:
        """The folder of shards, or the data folder that holds it."""
        self.folder = folder / FOLDER if (folder / FOLDER / NAME).is_file() else folder
        path = self.folder / NAME
        if not path.is_file():
            raise DataError(f"{folder} holds no {NAME}; make shards with `omni123-train data run` first.")
        self.description: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if self.description.get("format") != FORMAT:
            raise DataError(f"{path} is of format {self.description.get('format')}, not {FORMAT}; run again.")
        self._modalities: Mapping[str, Mapping[str, Any]] = self.description["modalities"]
        self.open = lru_cache(maxsize=1024)(self._open)  # maps, not memory

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self._modalities)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks of `backend.tasks` that can be trained on it."""
        return tuple(self.description["tasks"])

    @property
    def licences(self) -> Mapping[str, int]:
        """Assets and pictures under each licence."""
        licences: Mapping[str, int] = self.description["licences"]
        return licences

    def rows(self, modality: str, split: str) -> int:
        return int(self._modality(modality)["rows"].get(split, 0))

    def fingerprint(self, modalities: Sequence[str]) -> str:
        """Changes with the files of these modalities, which are named by their contents."""
        names = [sorted(self.buckets(modality).items()) for modality in modalities]
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]

    def buckets(self, modality: str) -> dict[int, str]:
        """The file of each bucket; rows of one asset lie in the same bucket in every modality."""
        return {entry["bucket"]: entry["file"] for entry in self._modality(modality)["files"]}

    def shards(self, modality: str) -> list[Shard]:
        return [self.open(name) for _, name in sorted(self.buckets(modality).items())]

    def _modality(self, name: str) -> Mapping[str, Any]:
        if name not in self._modalities:
            there = ", ".join(self._modalities) or "nothing"
            raise DataError(f"{self.folder} holds no {name}, but {there}; run the step that makes them.")
        return self._modalities[name]

    def _open(self, name: str) -> Shard:
        return Shard(self.folder / name)


def describe(folder: Path, made: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Writes `dataset.json` for the files made of each modality: rows of file, bucket, rows and licences.

    Modalities that are not named stay as they were; their files that nobody lists any more are removed.
    """
    path = folder / NAME
    known = json.loads(path.read_text(encoding="utf-8"))["modalities"] if path.exists() else {}
    for modality, files in made.items():
        known[modality] = {"rows": _summed(file["rows"] for file in files), "files": list(files)}
    _drop_stale(known)
    known = {name: entry for name, entry in sorted(known.items()) if entry["files"]}
    counted = [entry for name in ("shapes", "pictures") for entry in known.get(name, {}).get("files", ())]
    description = {
        "format": FORMAT,
        "tasks": tasks_served(known),
        "pools": pool_counts(known),
        "licences": dict(sorted(_summed(file["licences"] for file in counted).items())),
        "modalities": known,
    }
    unfinished = path.with_name(f".{NAME}.{os.getpid()}")
    unfinished.write_text(json.dumps(description, indent=1), encoding="utf-8")
    unfinished.replace(path)
    for modality in made:
        _remove_others(folder, modality, known.get(modality, {}).get("files", ()))
    return description


def _drop_stale(known: dict[str, dict[str, Any]]) -> None:
    """Tokens of files that were packed anew; they would be joined with other rows, or with none."""
    listed = {file["file"] for entry in known.values() for file in entry["files"]}
    for entry in known.values():
        entry["files"] = [file for file in entry["files"] if file.get("of") is None or file["of"] in listed]
        entry["rows"] = _summed(file["rows"] for file in entry["files"])


def _summed(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)


def _remove_others(folder: Path, modality: str, files: Sequence[Mapping[str, Any]]) -> None:
    listed = {folder / file["file"] for file in files}
    for path in (folder / modality).glob("??/*.arrow"):
        if path not in listed:
            path.unlink()
