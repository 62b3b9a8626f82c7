"""Tokenised samples of each pool of Table 1, read from shards one by one and drawn by category.

Files are maps, so memory holds a few numbers a row; a draw depends on its generator alone, whatever the
number of ranks and wherever a run was stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.sequence import VIEWS, Modality
from training.data.shape_samples import category_shares
from training.data.shards.dataset import Dataset
from training.data.shards.join import joined_rows
from training.data.shards.pack import LEVELS
from training.data.shards.pools import POOLS, Pool
from training.data.shards.tokens import require_tokenizer

Codes = NDArray[Any]  # local ids, as the token files store them
Hashes = Mapping[Modality, str]  # of the tokenizers' weights
Found = tuple[tuple[str, ...], NDArray[np.int64]]  # files of a bucket, and rows (n, columns) of its samples
Joined = list[Found]
PICTURE = "picture"  # the name of an image that is no view
# The columns of a sample that each of a pool's modalities gives, and what they are read from.
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "texts": {"words": "texts"},
    "shapes": {"shape": "shape_tokens"},
    "views": {"views": "view_tokens"},
    "pictures": {"picture": "picture_tokens", "words": "pictures"},
    "edits": {"words": "edits"},
    "edit_shapes": {"source": "edit_shape_tokens", "shape": "edit_shape_tokens"},
}
_CODES = ("shape", "source", "views", "picture")
_WORDS = {"texts": LEVELS, "pictures": ("captions",), "edits": ("instructions",)}  # level by level
_MADE_BY: Mapping[str, Modality] = {
    "shape_tokens": "shape",
    "edit_shape_tokens": "shape",
    "view_tokens": "image",
    "picture_tokens": "image",
}


@dataclass(frozen=True, kw_only=True)
class TokenSample:
    """What there is of one asset, one picture, or one pair of an edit."""

    key: str
    shape: Codes | None = None  # (n_shape_tokens,); of an edit, its result
    source: Codes | None = None  # (n_shape_tokens,) of an edit
    images: Mapping[str, Codes] = field(default_factory=dict)  # (n_image_tokens,) by the view's name
    captions: tuple[tuple[str, ...], ...] = ()  # level by level; of an edit, its instructions

    def caption(self, rng: np.random.Generator) -> str | None:
        """One of any level, levels equally often; None where there is none."""
        levels = [level for level in self.captions if level]
        if not levels:
            return None
        level = levels[int(rng.integers(len(levels)))]
        return level[int(rng.integers(len(level)))]

    def unposed(self, rng: np.random.Generator) -> Codes:
        """A picture, or a render of a lit scene; a canonical view only where there is nothing else."""
        names = [name for name in self.images if name not in VIEWS] or list(self.images)
        return self.images[names[int(rng.integers(len(names)))]]


class TokenPool:
    """The samples of one pool and split that are tokenised; none where the dataset lacks what it needs."""

    def __init__(
        self,
        pool: Pool,
        dataset: Dataset,
        split: str,
        hashes: Hashes,
        *,
        only: frozenset[str] | None = None,
    ) -> None:
        """only: keys of the assets whose samples are wanted, if not all; pictures are no assets.

        Raises ValueError for tokens that were made by other tokenizers than those of these hashes.
        """
        self.name, self._dataset = pool.name, dataset
        self._columns, joined = _joined(pool, dataset, split)
        if only is not None and "shapes" in pool.modalities:
            joined = [(files, _rows_of(dataset, files, rows, only)) for files, rows in joined]
        self._files = [files for files, _ in joined]
        for column, modality in enumerate(self._columns.values()):
            for files in self._files if modality in _MADE_BY else ():
                require_tokenizer(dataset.open(files[column]), hashes.get(_MADE_BY[modality]))
        self._bucket = np.repeat(np.arange(len(joined), dtype=np.int32), [len(rows) for _, rows in joined])
        self._rows = np.concatenate([np.empty((0, len(self._columns)), np.int64), *(r for _, r in joined)])
        self._ends = np.cumsum(category_shares(_categories(dataset, joined)))
        self._ids = lru_cache(maxsize=1024)(self._opened)

    def __len__(self) -> int:
        return len(self._rows)

    def draw(self, rng: np.random.Generator) -> int:
        """A row, as often as its category weighs."""
        return min(int(np.searchsorted(self._ends, rng.random(), side="right")), len(self) - 1)

    def sample(self, row: int) -> TokenSample:
        cells = {
            column: (file, int(place))
            for column, file, place in zip(
                self._columns, self._files[self._bucket[row]], self._rows[row], strict=True
            )
        }
        codes = {
            column: self._ids(file)[place] for column, (file, place) in cells.items() if column in _CODES
        }
        images = {PICTURE: codes["picture"]} if "picture" in codes else {}
        if "views" in codes:
            images = dict(zip(self._row(*cells["views"], ("names",))[0], codes["views"], strict=True))
        first, *_ = cells.values()
        return TokenSample(
            key=self._row(*first, ("key",))[0],
            shape=codes.get("shape"),
            source=codes.get("source"),
            images=images,
            captions=self._captions(*cells["words"]) if "words" in cells else (),
        )

    def _opened(self, file: str) -> Codes:
        return self._dataset.open(file).arrays("ids")

    def _row(self, file: str, place: int, names: Sequence[str]) -> list[Any]:
        return list(self._dataset.open(file).row(place, names).values())

    def _captions(self, file: str, place: int) -> tuple[tuple[str, ...], ...]:
        levels = _WORDS[self._columns["words"]]
        return tuple(map(tuple, self._row(file, place, levels))) if place >= 0 else ()


def open_pools(
    dataset: Dataset,
    names: Iterable[str],
    split: str,
    hashes: Hashes,
    *,
    only: frozenset[str] | None = None,
) -> dict[str, TokenPool]:
    """Those of the named pools of which this split has samples, in the order of Table 1."""
    wanted = set(names)
    pools = [TokenPool(pool, dataset, split, hashes, only=only) for pool in POOLS if pool.name in wanted]
    return {pool.name: pool for pool in pools if len(pool)}


def _rows_of(
    dataset: Dataset, files: Sequence[str], rows: NDArray[np.int64], keys: frozenset[str]
) -> NDArray[np.int64]:
    """Those rows of a bucket whose assets have one of these keys."""
    names = dataset.open(files[0]).texts("key")
    found: NDArray[np.int64] = rows[np.array([names[row] in keys for row in rows[:, 0]], dtype=bool)]
    return found


def _joined(pool: Pool, dataset: Dataset, split: str) -> tuple[Mapping[str, str], Joined]:
    """The columns of a pool, what each is read from, and its samples; the first column knows the key.

    Assets of pools without words have those that there are: Table 4's (T+).
    """
    columns = {name: read for modality in pool.modalities for name, read in _COLUMNS[modality].items()}
    if not set(columns.values()) <= set(dataset.modalities):
        return columns, []
    if "source" in columns:
        return columns, [_sides(dataset, *found) for found in joined_rows(dataset, ("edits",), split)]
    if "words" in columns or "texts" not in dataset.modalities:
        return columns, joined_rows(dataset, tuple(columns.values()), split)
    return columns | {"words": "texts"}, joined_rows(dataset, tuple(columns.values()), split, ("texts",))


def _sides(dataset: Dataset, files: tuple[str, ...], rows: NDArray[np.int64]) -> Found:
    """Rows of pairs with the rows of both their shapes, which lie in the bucket of the same number."""
    pairs = dataset.open(files[0])
    bucket = next(number for number, name in dataset.buckets("edits").items() if name == files[0])
    shapes = dataset.buckets("edit_shape_tokens")[bucket]
    place = {key: row for row, key in enumerate(dataset.open(shapes).texts("key"))}
    sides = [[place[key] for key in pairs.texts(side)] for side in ("source_key", "target_key")]
    return (*files, shapes, shapes), np.stack(
        [rows[:, 0], *(np.array(side)[rows[:, 0]] for side in sides)], 1
    )


def _categories(dataset: Dataset, joined: Joined) -> list[str]:
    found: list[str] = []
    for (first, *_), rows in joined:
        categories = dataset.open(first).texts("category")
        found += [categories[row] or "" for row in rows[:, 0]]
    return found
