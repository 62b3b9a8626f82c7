"""Where assets come from: files, folders and zips of them, and what an index beside them says of each.

An index is `index.jsonl`, `metadata.jsonl`, `index.csv` or `metadata.csv` in the asset's folder or above it,
with a column that names the file (path, file, file_name, source_path); `chair.json` speaks for `chair.glb`
alone. Known fields: name, category, tags, licence (or license), author, up, url; the others are kept as
provenance.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from training.data.assets import blender
from training.data.assets.reading import TRIMESH

READ = (*TRIMESH, *blender.SUFFIXES)
# Named as not readable rather than passed over.
UNREAD = (
    ".3ds",
    ".max",
    ".ma",
    ".mb",
    ".c4d",
    ".abc",
    ".x3d",
    ".wrl",
    ".step",
    ".stp",
    ".iges",
    ".3mf",
    ".lwo",
)
INDEXES = ("index.jsonl", "metadata.jsonl", "index.csv", "metadata.csv")
_FILE_COLUMNS = ("path", "file", "file_name", "filename", "source_path")
_SPELLINGS = {
    "license": "licence",
    "title": "name",
    "caption": "name",
    "artist": "author",
    "creator": "author",
}
_ZIP_MEMBERS = 100_000


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file to ingest; `problem` is why there is nothing to open: (reason, sentence)."""

    path: Path
    name: str  # relative to what was asked for, zips as folders
    metadata: Mapping[str, Any] = field(default_factory=dict)
    problem: tuple[str, str] | None = None


def find_sources(root: Path, scratch: Path, *, zip_bytes: int) -> list[Source]:
    """Every asset file of a folder, a zip or a file, in name order. Zips are unpacked under `scratch`.

    Raises ValueError where `root` does not exist.
    """
    if not root.exists():
        raise ValueError(f"{root} does not exist")
    top = root if root.is_dir() else root.parent
    files = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]
    return list(_sources(files, top, "", scratch, zip_bytes, nested=False))


def _sources(
    files: list[Path], top: Path, prefix: str, scratch: Path, zip_bytes: int, *, nested: bool
) -> Iterator[Source]:
    rows = _Indexes(top)
    for path in files:
        name, suffix = f"{prefix}{path.relative_to(top).as_posix()}", path.suffix.lower()
        if suffix == ".zip" and nested:
            yield Source(
                path=path, name=name, problem=("nested_zip", f"{name} is a zip in a zip; unpack it.")
            )
        elif suffix == ".zip":
            yield from _zip(path, name, scratch, zip_bytes)
        elif suffix in READ:
            yield Source(path=path, name=name, metadata=rows.of(path))
        elif suffix in UNREAD:
            sentence = f"{name}: {suffix} files are not read; export glTF or FBX."
            yield Source(path=path, name=name, problem=("unsupported_format", sentence))


def _zip(path: Path, name: str, scratch: Path, zip_bytes: int) -> Iterator[Source]:
    stat = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = scratch / f"zip-{key}"
    try:
        if not folder.is_dir():
            _unpack(path, folder, zip_bytes)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        sentence = f"{name} cannot be unpacked ({' '.join(str(error).split())[:120]})."
        yield Source(path=path, name=name, problem=("corrupt_zip", sentence))
        return
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    yield from _sources(files, folder, f"{name}/", scratch, zip_bytes, nested=True)


def _unpack(path: Path, folder: Path, zip_bytes: int) -> None:
    """All members or none. ValueError for names that lead out of the folder and for zip bombs."""
    unfinished = folder.with_suffix(".partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        total = sum(member.file_size for member in members)
        if total > zip_bytes or len(members) > _ZIP_MEMBERS:
            raise ValueError(f"it holds {len(members):,} files of {total:,} bytes")
        for member in members:
            parts = PurePosixPath(member.filename.replace("\\", "/")).parts
            if ".." in parts or PurePosixPath(member.filename).is_absolute():
                raise ValueError(f"{member.filename!r} leads out of the archive")
            archive.extract(member, unfinished)  # reads no more than the size it was declared with
    unfinished.mkdir(parents=True, exist_ok=True)
    unfinished.replace(folder)


class _Indexes:
    """Rows of the indexes of a tree, read once each."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.read: dict[Path, dict[str, dict[str, Any]]] = {}

    def of(self, path: Path) -> dict[str, Any]:
        """The nearest index wins, and the file's own JSON over it."""
        found: dict[str, Any] = {}
        folders = [folder for folder in path.parents if folder == self.top or self.top in folder.parents]
        for folder in reversed(folders):
            if folder not in self.read:
                self.read[folder] = _read_indexes(folder)
            found |= self.read[folder].get(path.relative_to(folder).as_posix(), {})
        return found | _own(path.with_suffix(".json"))


def _read_indexes(folder: Path) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for name in INDEXES:
        if (path := folder / name).is_file():
            for row in _rows(path):
                file = next((str(row[column]) for column in _FILE_COLUMNS if row.get(column)), None)
                if file is not None:
                    rows[PurePosixPath(file.replace("\\", "/")).as_posix()] = _spelled(row)
    return rows


def _rows(path: Path) -> list[dict[str, Any]]:
    """Raises ValueError where a line cannot be read: an index names licences, so it is not guessed at."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix == ".csv":
            return [{k: v for k, v in row.items() if k} for row in csv.DictReader(file)]
        rows = []
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    rows.append(dict(json.loads(line)))
                except (ValueError, TypeError) as error:
                    raise ValueError(f"{path}, line {number}: {error}") from error
        return rows


def _own(path: Path) -> dict[str, Any]:
    """Raises ValueError for a file that is no JSON: it may hold the asset's licence."""
    try:
        found = json.loads(path.read_text("utf-8-sig")) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); mend or remove it") from error
    return _spelled(found) if isinstance(found, dict) else {}


def _spelled(row: Mapping[str, Any]) -> dict[str, Any]:
    lower = {str(key).strip().lower(): value for key, value in row.items() if value not in (None, "")}
    return {_SPELLINGS.get(key, key): value for key, value in lower.items()}
