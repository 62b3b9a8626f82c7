"""What files hold, by hash: an asset's file and the files it names, read again only when they changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

# Formats that name other files, and how many of their bytes may.
_NAMING = {".obj": 1 << 30, ".mtl": 1 << 30, ".gltf": 1 << 30, ".glb": 1 << 20, ".ply": 1 << 14}
_NAMING |= {".fbx": 1 << 30, ".blend": 1 << 30, ".usd": 1 << 30, ".usda": 1 << 30, ".usdc": 1 << 30}
_ENDING = re.compile(
    rb"\.(?:mtl|bin|png|jpe?g|tga|bmp|tiff?|webp|gif|exr|hdr|dds|blend|usd[ac]?)(?![\w.])", re.IGNORECASE
)
_NAME = re.compile(rb"[^\x00-\x1f\"'<>|*?;=]{1,200}$")
_MOST_NAMES = 1000


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A file as it was when it was read."""

    size: int
    modified: int  # ns
    sha256: str
    names: tuple[str, ...]  # of other files, as far as one can tell


class Contents:
    """Hashes of files, kept in a file of their own: one line of JSON a file, the last counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, _Known] = {}
        text = path.read_bytes() if path.exists() else b""
        whole = text.rfind(b"\n") + 1
        for line in text[:whole].splitlines():
            place, row = json.loads(line)
            self._known[place] = _Known(**{**row, "names": tuple(row["names"])})
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(whole)

    def __enter__(self) -> Contents:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def sha256(self, path: Path) -> str:
        return self._read(path).sha256

    def beside(self, path: Path) -> dict[str, str]:
        """Hashes of the files that an asset's file names, and those that they name, by relative path."""
        found: dict[Path, str] = {}
        waiting = [path]
        while waiting and len(found) < _MOST_NAMES:
            current = waiting.pop()
            for other in _found(current, self._read(current).names):
                if other != path and other not in found:
                    found[other] = self._read(other).sha256
                    waiting.append(other)
        return {_relative(other, path.parent): found[other] for other in sorted(found)}

    def _read(self, path: Path) -> _Known:
        stat, place = path.stat(), str(path.absolute())
        known = self._known.get(place)
        if known is None or (known.size, known.modified) != (stat.st_size, stat.st_mtime_ns):
            names = tuple(_names(path))
            known = _Known(size=stat.st_size, modified=stat.st_mtime_ns, sha256=_hash(path), names=names)
            self._known[place] = known
            self._file.write(json.dumps([place, asdict(known)]).encode() + b"\n")
            self._file.flush()
        return known


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _names(path: Path) -> list[str]:
    """What looks like names of other files in a file, each once."""
    most = _NAMING.get(path.suffix.lower(), 0)
    if not most:
        return []
    with path.open("rb") as file:
        data = file.read(most)
    names = dict[str, None]()
    for ending in _ENDING.finditer(data):
        before = _NAME.search(data[max(ending.start() - 200, 0) : ending.start()])
        if before is not None:
            name = (before[0] + ending[0]).decode("utf-8", "replace")
            names[name.replace("\\", "/")] = None
            if len(names) >= _MOST_NAMES:
                break
    return list(names)


def _found(path: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Those that are there: where they are said to be, beside the file, or in textures/."""
    for name in names:
        words = unquote(name).split(" ")
        for start in range(len(words)):  # what stands before a name on its line is no part of it
            said = PurePosixPath(" ".join(words[start:]).strip("/ "))
            tried = (path.parent / said, path.parent / said.name, path.parent / "textures" / said.name)
            there = next((place for place in tried if said.name and _is_file(place)), None)
            if there is not None:
                yield there.resolve()
                break


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name no file can have
        return False


def _relative(path: Path, folder: Path) -> str:
    """A name that does not depend on where the folder lies, as far as there is one."""
    folder = folder.resolve()
    return path.relative_to(folder).as_posix() if folder in path.parents else path.name
