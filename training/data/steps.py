"""Steps of the data pipeline: pure functions of one item, whose products are named by what made them.

    results = run(GEOMETRY, GeometrySettings(), items, Path("data"), LocalPool(PoolSettings()))

DATA/<step>/journal.jsonl says what became of each item, DATA/<step>/ab/ab12... holds its product. A name is
the hash of the step, its version, its settings and the item's inputs; inputs that are products chain the
hashes. So a second run does nothing, a new asset costs only itself, and a run that was killed continues.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from filelock import FileLock, Timeout

from training.data.assets.asset import Rejected
from training.data.pool import DataError as DataError
from training.data.pool import Outcome

# Reasons that lie in the machine or in our code, not in the item: the next run tries these again.
TRANSIENT = ("crashed", "failed", "no_blender", "timeout", "too_much_memory")
_STOPPED = "stopped"  # what a worker says when no item can be done here
_FULL = (errno.ENOSPC, errno.EDQUOT)
S = TypeVar("S")


class Pool(Protocol):
    """Where a step's work runs: processes here, or a cluster."""

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Outcomes as they come; one that fails or dies costs its item, with a reason."""
        ...


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing a step works on."""

    key: str  # of the asset, the same over all steps
    inputs: Mapping[
        str, Any
    ]  # hashed: JSON values; products of other steps as paths relative to the data folder
    where: Mapping[str, Any] = field(default_factory=dict)  # not hashed: where to find what `inputs` names


@dataclass(frozen=True, kw_only=True)
class Step(Generic[S]):
    """A named function `make(item, settings, data, product) -> facts`.

    It may raise Rejected for the item's sake, and DataError where the machine can do none of them.
    `make` must pass to another process. It writes `product`, a path that becomes the product's name when all
    is done; with no suffix there is no product. Facts are JSON values, small.
    """

    name: str  # of its folder
    version: int  # raised whenever the code makes something else of the same inputs
    make: Callable[[Item, S, Path, Path], dict[str, Any]]
    suffix: str | None = None  # of the product; "": a folder; None: the facts are all


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one item."""

    key: str
    hash: str
    facts: dict[str, Any] = field(default_factory=dict)
    product: str | None = None  # relative to the data folder
    rejected: Rejected | None = None
    seconds: float = 0.0  # wall time of its worker
    cpu_seconds: float = 0.0  # of the worker's own process
    bytes: int = 0  # of the product
    cached: bool = False  # by an earlier run


def seed_of(*names: str) -> int:
    """A seed of 64 bits that depends on the names alone."""
    return int.from_bytes(hashlib.sha256("\0".join(names).encode()).digest()[:8], "little")


def item_hash(step: Step[S], settings: S, item: Item) -> str:
    """24 hexadecimal digits. `settings` must be a dataclass of JSON values."""
    made_of = [step.name, step.version, asdict(settings), item.key, dict(item.inputs)]  # type: ignore[call-overload]
    text = json.dumps(made_of, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def run(
    step: Step[S],
    settings: S,
    items: Sequence[Item],
    data: Path,
    pool: Pool,
    progress: Callable[[Result], None] | None = None,
) -> list[Result]:
    """One result per item, in their order; only what no earlier run has done is done.

    Raises DataError when the disk is full or another run works on the same step.
    """
    folder = data / step.name
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _sweep(folder)
        journal = Journal(folder / "journal.jsonl")
        hashes = [item_hash(step, settings, item) for item in items]
        results = {name: found for name in hashes if (found := _done(journal, name, data)) is not None}
        if progress is not None:
            for result in results.values():
                progress(result)
        wanted = {name: item for name, item in zip(hashes, items, strict=True) if name not in results}
        names = list(wanted)
        work = partial(_perform, step=step, settings=settings, data=data)
        with journal:
            for outcome in pool.run(work, [(wanted[name], name) for name in names]):
                result = _result(outcome, wanted[names[outcome.index]], names[outcome.index])
                _stop_where_none_can_be_done(result)
                journal.write(result)
                results[result.hash] = result
                if progress is not None:
                    progress(result)
    return [results[name] for name in hashes]


class Journal:
    """The results of one step, a line of JSON each; one that a kill, a full disk or a power cut spoilt counts
    as not written, and costs its item another try."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, dict[str, Any]] = {}
        text = path.read_bytes() if path.exists() else b""
        self._whole = text.rfind(b"\n") + 1
        for line in text[: self._whole].splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            self._rows[row["hash"]] = row

    def __enter__(self) -> Journal:
        self._file = self._path.open("ab", buffering=0)
        self._file.truncate(self._whole)
        return self

    def __exit__(self, *exception: object) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def __len__(self) -> int:
        return len(self._rows)

    def results(self) -> Iterator[Result]:
        """Every result on record, of whatever settings, the last of each item hash."""
        return (_read(row) for row in self._rows.values())

    def get(self, name: str) -> Result | None:
        row = self._rows.get(name)
        return None if row is None else _read(row)

    def write(self, result: Result) -> None:
        row = {name: value for name, value in vars(result).items() if name not in ("cached", "rejected")}
        if result.rejected is not None:
            row |= {"reason": result.rejected.reason, "detail": result.rejected.detail}
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            if _is_full(error):
                raise _full_disk(self._path) from error
            raise


def _read(row: Mapping[str, Any]) -> Result:
    rejected = Rejected(row["reason"], row["detail"]) if "reason" in row else None
    known = {name: value for name, value in row.items() if name not in ("reason", "detail")}
    return Result(**known, rejected=rejected, cached=True)


def _done(journal: Journal, name: str, data: Path) -> Result | None:
    """What an earlier run found, if it still holds."""
    result = journal.get(name)
    if result is None or (result.rejected is not None and result.rejected.reason in TRANSIENT):
        return None
    if result.product is not None and not _whole(data / result.product, result.bytes):
        return None
    return result


def _whole(product: Path, size: int) -> bool:
    """A power cut can leave a name whose bytes never reached the disk; of a folder the name must do."""
    try:
        status = product.stat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) or status.st_size == size


def _perform(task: tuple[Item, str], *, step: Step[S], settings: S, data: Path) -> dict[str, Any]:
    """Runs in a worker."""
    item, name = task
    suffix = step.suffix
    product = data / step.name / name[:2] / f"{name}{suffix or ''}"
    unfinished = product.with_name(f".{os.getpid()}-{product.name}")
    wall, cpu = time.perf_counter(), time.process_time()
    made: dict[str, Any] = {}
    try:
        if suffix is not None:
            product.parent.mkdir(exist_ok=True)
        made["facts"] = step.make(item, settings, data, unfinished)
        if suffix is not None:
            made |= {"product": product.relative_to(data).as_posix(), "bytes": _size(unfinished)}
            _remove(product)
            unfinished.replace(product)
    except DataError as error:
        raise Rejected(_STOPPED, str(error)) from error
    except Exception as error:
        if not _is_full(error):
            raise
        raise Rejected(_STOPPED, str(_full_disk(data))) from error
    finally:
        _remove(unfinished)
    return {**made, "seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def _result(outcome: Outcome, item: Item, name: str) -> Result:
    if outcome.rejected is not None:
        return Result(key=item.key, hash=name, rejected=outcome.rejected, seconds=outcome.seconds)
    return Result(key=item.key, hash=name, **outcome.result)


def _stop_where_none_can_be_done(result: Result) -> None:
    if result.rejected is not None and result.rejected.reason == _STOPPED:
        raise DataError(result.rejected.detail)


def _full_disk(place: Path) -> DataError:
    return DataError(
        f"The disk that holds {place} is full; free some space and run the command again: it continues."
    )


def _is_full(error: Exception) -> bool:
    """safetensors tells of it in words alone."""
    return getattr(error, "errno", None) in _FULL or os.strerror(errno.ENOSPC) in str(error)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise DataError(f"Another run works on {folder}; wait for it, or stop it first.") from error


def _sweep(folder: Path) -> None:
    """Removes what a killed worker left half written."""
    for path in folder.glob("??/.*"):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _plain(value: Any) -> Any:
    raise TypeError(f"{value!r} is hashed and must be a JSON value; paths of a machine belong in Item.where")
