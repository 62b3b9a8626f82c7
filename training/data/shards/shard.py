"""One file of rows: an Arrow IPC file, read through the page cache without copies.

Every file has the columns key and split, sorted by key. Its metadata is JSON: what made it, for whom it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

FORMAT = "shard 1"
SPLITS = ("train", "val", "test")
TEXT, TEXTS = pa.string(), pa.list_(pa.string())
BYTES, FILES = pa.large_binary(), pa.list_(pa.large_binary())
NUMBER, COUNT = pa.float64(), pa.int64()


def write_shard(
    path: Path,
    columns: Mapping[str, Sequence[Any] | NDArray[Any]],
    types: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Columns of lists need their type; arrays (rows, ...) become tensors of one shape.

    Raises OSError as the disk does; a file cut short is refused by `Shard`.
    """
    arrays = {name: _array(values, types.get(name)) for name, values in columns.items()}
    words = {"format": FORMAT, "shard": json.dumps(dict(metadata), sort_keys=True)}
    table = pa.table(arrays).replace_schema_metadata(words)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _array(values: Sequence[Any] | NDArray[Any], kind: Any) -> Any:
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(values))
    return pa.array(values, kind)


class Shard:
    """An open file. Raises ValueError for one that is no shard, or not a whole one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            batches = pa.ipc.open_file(pa.memory_map(str(path)))
            self._table = batches.read_all().combine_chunks()
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{path} is not a whole shard ({error}); make the shards again") from error
        words = self._table.schema.metadata or {}
        if words.get(b"format") != FORMAT.encode():
            raise ValueError(f"{path} is no {FORMAT}; make the shards again")
        self.metadata: dict[str, Any] = json.loads(words[b"shard"])
        self.names: tuple[str, ...] = tuple(self._table.column_names)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def texts(self, name: str) -> list[Any]:
        """A whole column of words, numbers or lists, as Python has them."""
        values: list[Any] = self._table[name].to_pylist()
        return values

    def arrays(self, name: str) -> NDArray[Any]:
        """A whole column of tensors (rows, ...), a view of the file."""
        column = self._table[name]
        if len(column) == 0:
            return np.empty((0, *column.type.shape), column.type.value_type.to_pandas_dtype())
        tensors: NDArray[Any] = column.chunk(0).to_numpy_ndarray()
        return tensors

    def row(self, index: int, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Values of one row; tensors are views of the file."""
        return {name: self._value(name, index) for name in names or self.names}

    def item(self, name: str, index: int, place: int) -> Any:
        """One entry of a row's list, without the others."""
        return self._table[name][index].values[place].as_py()

    def _value(self, name: str, index: int) -> Any:
        if isinstance(self._table.schema.field(name).type, pa.FixedShapeTensorType):
            return self.arrays(name)[index]
        return self._table[name][index].as_py()
