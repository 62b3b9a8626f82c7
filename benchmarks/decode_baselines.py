"""What decoding is measured against: memory's read bandwidth, no cache, and a cache that does its work again.

R rows, D model width, N heads, C conditioning and L generation positions, H head dimension.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numba
import numpy as np
import torch
import torch.nn.functional as F
from bound import median_ms
from torch import Tensor

from backend.decode.interface import LayerKeysValues
from backend.model.layers import DualBlock, SingleBlock, finish, layer_norm
from backend.model.rope import rotary_table, rotate
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer

READ = 1 << 30  # bytes; far more than any cache holds


@numba.njit(nogil=True, fastmath=True)
def _sum(values: np.ndarray) -> float:
    """A read loop that compiles to vector additions alone."""
    total = np.float32(0)
    for value in values:
        total += value
    return total


def _threaded_sum(values: np.ndarray, threads: int) -> None:
    parts = np.array_split(values, threads)
    crew = [threading.Thread(target=_sum, args=(part,)) for part in parts]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()


def read_bandwidth() -> tuple[float, str]:
    """GB/s of the fastest of a few loops that read a large buffer on all cores, and which one that was."""
    buffer, threads = torch.ones(READ // 4), torch.get_num_threads()
    values = buffer.numpy()
    _sum(values[:8])
    loops: dict[str, Callable[[], object]] = {
        "torch.sum": buffer.sum,
        "torch.dot": lambda: torch.dot(buffer[: len(buffer) // 2], buffer[len(buffer) // 2 :]),
        "torch.max": buffer.max,
        "compiled sum, a thread per core": lambda: _threaded_sum(values, threads),
        "matrix times vector": lambda: buffer.view(-1, 4096) @ buffer[:4096],
    }
    speeds = {}
    for name, loop in loops.items():
        loop()
        speeds[name] = READ / 1e6 / min(median_ms(loop, 1) for _ in range(5))
    best = max(speeds, key=speeds.__getitem__)
    return speeds[best], best


@torch.inference_mode()
def uncached_ms(model: DualStreamTransformer, text: TextEmbeddings, *, at: int) -> float:
    """One token of two rows that feeds all `at` ids again."""
    ids = torch.zeros(2, at, dtype=torch.long)
    both = TextEmbeddings(
        tuple(part.expand(2, -1, -1) for part in text.parts), tuple(m.expand(2, -1) for m in text.masks)
    )
    drop = torch.tensor([False, True])
    return median_ms(lambda: model.logits(model.hidden(ids, both, drop=drop)[:, -1], "shape"), 5)


class RerotatingRows:
    """Cached decoding that stores keys as projected: for each token it rotates all of them and makes a mask.

    The same weights, one torch operation after another, all rows at one position.
    """

    def __init__(
        self, model: DualStreamTransformer, conditioning: Sequence[Sequence[LayerKeysValues]], length: int
    ) -> None:
        config, rows = model.config, len(conditioning)
        self.model, self.position = model, 0
        self.rotary = rotary_table(length, config.head_dim, config.rope_theta, torch.device("cpu"))
        self.known = torch.tensor([row[0][0].shape[1] for row in conditioning])  # (R,)
        self.conditioning: list[tuple[Tensor, Tensor]] = []  # of each dual layer, (R, N, C, H), padded
        for layer in range(config.n_dual):
            keys, values = (
                torch.nn.utils.rnn.pad_sequence(
                    [row[layer][kind].transpose(0, 1) for row in conditioning], batch_first=True
                ).transpose(1, 2)
                for kind in (0, 1)
            )
            self.conditioning.append((keys, values))
        size = (rows, config.n_heads, length, config.head_dim)
        self.cache = [(torch.zeros(size), torch.zeros(size)) for _ in range(config.n_dual + config.n_single)]
        with torch.inference_mode():
            self.table = model.embedding_table()

    @torch.inference_mode()
    def step(self, ids: Sequence[int]) -> Tensor:
        """(R, codes) after one id of each row."""
        x = F.embedding(torch.tensor(ids), self.table)[:, None]  # (R, 1, D)
        own = torch.ones(len(ids), self.position + 1, dtype=torch.bool)
        places = torch.arange(int(self.known.max()))
        mask = torch.cat((places < self.known[:, None], own), dim=1)[:, None, None]
        dual = list(self.model.transformer.dual())
        for number, layer in enumerate(dual):
            x = self._layer(layer, number, x, mask)
        for number, single in enumerate(self.model.transformer.single(), start=len(dual)):
            x = self._layer(single, number, x, None)
        self.position += 1
        hidden = layer_norm(x[:, 0], self.model.config.eps)
        return self.model.logits(hidden, "shape")[:, : self.model.config.n_shape_codes]

    def _layer(self, layer: DualBlock | SingleBlock, number: int, x: Tensor, mask: Tensor | None) -> Tensor:
        projection = layer.attn.pre_x if isinstance(layer, DualBlock) else layer.attn
        # each (R, N, 1, H)
        q, k, v = (part.transpose(1, 2) for part in projection(layer_norm(x, layer.eps)))
        end = self.position + 1
        keys, values = self.cache[number]
        keys[:, :, self.position : end], values[:, :, self.position : end] = k, v
        cosines, sines = self.rotary
        keys, values = rotate(keys[:, :, :end], cosines[:end], sines[:end]), values[:, :, :end]
        if isinstance(layer, DualBlock):
            pairs = zip(self.conditioning[number], (keys, values), strict=True)
            keys, values = (torch.cat(pair, dim=2) for pair in pairs)
        q = rotate(q, cosines[self.position : end], sines[self.position : end])
        attended = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        attended = attended.transpose(1, 2)
        if isinstance(layer, DualBlock):
            return finish(layer.post_1.c_proj, layer.post_1.mlp, x, attended, layer.eps)
        return finish(layer.attn.c_proj, layer.mlp, x, attended, layer.eps)
