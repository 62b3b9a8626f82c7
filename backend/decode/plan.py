"""What a decoding step works on, as one array of int64 words: sizes, and addresses of weights and buffers.

Compiled code gets the address of the first word; numba would count references to arrays at every use.
R rows, D model width, N heads, H head dimension, F feed-forward width, L positions, M modalities.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

# Words that threads share by atomic access, a cache line apart.
TICKET, PENDING, DONE, STOP = range(0, 32, 8)
# Sizes and addresses, which nobody writes during a step.
(
    BASE,  # number of the step's first phase
    LAYERS,
    DUAL,  # the first layers, which see the conditioning
    WIDTH,  # D
    HEADS,  # N
    HIDDEN,  # F
    WIDTH_BYTES,  # from row to row of what products read, see `row_bytes`
    HIDDEN_BYTES,
    THREADS,
    ROWS,  # R of this step
    PLACES,  # rows of the cache
    LENGTH,  # L
    MODALITIES,  # M
    CODES,  # most codes of a modality
    POSITIONS,  # most conditioning and own positions
    LINEARS,  # int64 (layers * PER_LAYER + M, LINEAR_WORDS), see below
    TABLE,  # float32 or bfloat16 (ids, D): embeddings by global id
    TABLE_KIND,  # how they are stored
    EPSILONS,  # float32 (2,): LayerNorm's, the query and key norms'
    NORMS,  # float32 (layers, 2, H): weights of the query and key norms
    ROTARY,  # float32 (2, L, H): cosines and signed sines
    CACHE,  # float32 (layers, 2, places, N, L, H): rotated keys, values
    KNOWN,  # int64 (places, 1 + 2 * dual): conditioning positions C, addresses of keys and values (N, C, H)
    BATCH,  # int64 (R, BATCH_WORDS): place, position and id of each row
    ASKED,  # int64 (M, 2): the rows that ask for a head, first and after the last
    X,  # float32 (R, D): the residual stream
    NORMED,  # float32 (R, D and padding)
    QKV,  # float32 (R, 3 * D)
    ATTENDED,  # float32 (R, D and padding)
    ADDED,  # float32 (R, D): what a projection adds to the stream
    GATED,  # float32 (R, F and padding)
    RAISED,  # float32 (R, F and padding)
    LOGITS,  # float32 (R, codes)
    SCORES,  # float32 (threads, positions): scratch
) = range(32, 66)
WORDS = 72

BATCH_WORDS = 3
# Columns of `LINEARS`: addresses (0 is none), how the weights are stored, shape.
WEIGHT, SCALE, BIAS, KIND, OUT_FEATURES, IN_FEATURES = range(6)
LINEAR_WORDS = 6
# Linears of a layer, in this order; the heads follow after the last layer.
QUERY_KEY, VALUE, PROJECTION, GATE, UP, DOWN = range(6)
PER_LAYER = 6


class Plan:
    """The words, and the arrays behind the addresses; they stay in place while a thread may be in a step."""

    def __init__(self, sizes: dict[int, int], arrays: dict[int, NDArray[np.generic]]) -> None:
        self.words = zeros(WORDS, dtype=torch.int64)
        self.arrays = arrays
        for word, size in sizes.items():
            self.words[word] = size
        for word, array in arrays.items():
            assert array.flags.c_contiguous
            self.words[word] = array.ctypes.data
        self.address = self.words.ctypes.data

    def __getitem__(self, word: int) -> NDArray[np.generic]:
        return self.arrays[word]

    def size(self, word: int) -> int:
        return int(self.words[word])


def row_bytes(width: int) -> int:
    """Of a row of activations: at multiples of 4 KiB rows would compete for the same lines of the cache."""
    size = 4 * width
    return size + 2048 if size % 4096 == 0 else size


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> NDArray[np.generic]:
    """Aligned to cache lines, as torch's memory is."""
    array: NDArray[np.generic] = torch.zeros(shape, dtype=dtype).numpy()
    return array
