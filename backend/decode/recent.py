"""Keys and values worth keeping: a prompt's or a source's, for the next job that starts from the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from backend.decode.interface import LayerKeysValues

KeysValues = list[LayerKeysValues]  # of each layer


class RecentKeysValues:
    """The most recently used ones, up to a number of bytes in all."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0  # bytes
        self.recent: OrderedDict[Hashable, KeysValues] = OrderedDict()

    def get(self, key: Hashable | None, make: Callable[[], KeysValues]) -> KeysValues:
        """Those of `key`, made if they are not held; without a key they are made and forgotten."""
        if key is None:
            return make()
        if key not in self.recent:
            self.recent[key] = make()
            self.held += _size(self.recent[key])
        self.recent.move_to_end(key)
        found = self.recent[key]
        while self.held > self.limit:
            self.held -= _size(self.recent.popitem(last=False)[1])
        return found


def _size(layers: KeysValues) -> int:
    return sum(tensor.numel() * tensor.element_size() for layer in layers for tensor in layer)
