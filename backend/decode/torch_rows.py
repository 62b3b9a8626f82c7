"""Rows of one batch on a GPU: static caches, and a step of fixed shapes that a CUDA graph replays.

Elsewhere the same step runs op by op. R rows, S cached positions, D model width, N heads, H head dimension.
A row's cache holds its conditioning, then what was fed, without gaps; keys are stored rotated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backend.decode.interface import LayerKeysValues
from backend.decode.torch_layer import CachedLayer
from backend.model.layers import layer_norm
from backend.model.rope import rotary_table
from backend.model.transformer import DualStreamTransformer
from backend.sequence import MODALITIES, Modality

Shape = tuple[int, int, tuple[Modality, ...]]  # of a step: rows, positions attention reads, heads
SPAN = 512  # attention reads up to the next multiple of this; each is a graph of its own
SLACK = 4  # idle caches more than this many times too large are given back


class TorchRows:
    """A `RowDecoder`. The model's linear layers become views of packed weights; its outputs stay the same.

    graphs: replay CUDA graphs, by default wherever there are any. compiled: fuse the step with torch.compile,
    which takes its time for every new shape, of which it keeps eight. Without it, int8 weights are
    dequantised in memory.
    """

    def __init__(
        self, model: DualStreamTransformer, *, graphs: bool | None = None, compiled: bool = False
    ) -> None:
        self.model, self.config = model, model.config
        self.dual = [CachedLayer(layer) for layer in model.transformer.dual()]
        self.single = [CachedLayer(layer) for layer in model.transformer.single()]
        with torch.inference_mode():
            self.table = model.embedding_table().clone()
        self.device = self.table.device
        self.graphs = self.device.type == "cuda" if graphs is None else graphs
        self.forward = torch.compile(self._forward, dynamic=False) if compiled else self._forward
        self.captured: dict[Shape, tuple[torch.cuda.CUDAGraph, dict[Modality, Tensor]]] = {}
        self.places: list[int] = []  # the row in each place of the caches; rows in flight lie at the front
        self.state = np.zeros((3, 0), dtype=np.int64)  # of each place: id to feed, position, conditioning
        self.room = (0, 0, 0)  # rows, conditioning positions, fed positions
        self.reserve(1, 1, 1)

    @torch.inference_mode()
    def reserve(self, rows: int, conditioning: int, length: int) -> None:
        """See RowDecoder; caches far too large are given back while nothing is in flight."""
        # Few sizes: every growth copies the caches and drops the graphs.
        wanted = (_power_of_two(rows), _multiple(conditioning, 64), _multiple(length, 64))
        if not self.places and _positions(self.room) > SLACK * _positions(wanted):
            self._allocate(wanted)
        elif any(more > have for more, have in zip(wanted, self.room, strict=True)):
            most = [max(pair) for pair in zip(wanted, self.room, strict=True)]
            self._allocate((most[0], most[1], most[2]))

    def _allocate(self, room: tuple[int, int, int]) -> None:
        """New caches, with what rows in flight have in the old ones."""
        rows, conditioning, length = self.room = room
        used = len(self.places)
        self.captured.clear()
        before, self.state = self.state, np.zeros((3, rows), dtype=np.int64)
        self.state[:, :used] = before[:, :used]
        self.inputs = torch.zeros(3, rows, dtype=torch.long, device=self.device)
        # One position more than is asked for: a row that waits at its end writes there.
        for layers, size in ((self.dual, conditioning + length + 1), (self.single, length + 1)):
            for layer in layers:
                layer.allocate(rows, size, used)
        self.rotary = rotary_table(length + 1, self.config.head_dim, self.config.rope_theta, self.device)

    @torch.inference_mode()
    def join(
        self, row: int, conditioning: Sequence[LayerKeysValues], prefix: Sequence[LayerKeysValues] = ()
    ) -> None:
        """A row enters; its next position is the prefix's length."""
        place = len(self.places)
        assert place < self.room[0], "reserve() comes first"
        self.places.append(row)
        for number, layer in enumerate((*self.dual, *self.single)):
            layer.fill(place, [*conditioning[number : number + 1], *prefix[number : number + 1]])
        self.state[:, place] = 0, prefix[0][0].shape[1] if prefix else 0, conditioning[0][0].shape[1]

    @torch.inference_mode()
    def leave(self, row: int) -> None:
        """The last place moves into the free one."""
        place, last = self.places.index(row), len(self.places) - 1
        if place != last:
            self.places[place] = self.places[last]
            self.state[:, place] = self.state[:, last]
            for layer in (*self.dual, *self.single):
                layer.move(last, place)
        del self.places[last]

    @torch.inference_mode()
    def step(
        self, rows: Sequence[int], ids: Sequence[int], heads: Sequence[Modality | None]
    ) -> list[Tensor | None]:
        """Feed one id per row; logits lie on the CPU."""
        places, used = [self.places.index(row) for row in rows], len(self.places)
        self.state[0, places] = ids
        self.inputs.copy_(torch.from_numpy(self.state))
        # All rows in flight are computed. Those that are not fed write where their own next id will go.
        reached = int((self.state[1, :used] + self.state[2, :used]).max()) + 1
        due = tuple(modality for modality in MODALITIES if modality in heads)
        out = self._run((min(_power_of_two(used), self.room[0]), _multiple(reached, SPAN), due))
        logits = {modality: rows_logits[:used].cpu().unbind() for modality, rows_logits in out.items()}
        self.state[1, places] += 1
        return [None if m is None else logits[m][place] for m, place in zip(heads, places, strict=True)]

    def _run(self, shape: Shape) -> dict[Modality, Tensor]:
        """The step, captured on the first use of its shape."""
        if not self.graphs:
            return self.forward(*shape)
        if shape not in self.captured:
            # Libraries allocate what they need before a capture; a repeated step writes the same again.
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(2):
                    self.forward(*shape)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                out = self.forward(*shape)
            self.captured[shape] = graph, out
        graph, out = self.captured[shape]
        graph.replay()
        return out

    def _forward(self, rows: int, span: int, due: tuple[Modality, ...]) -> dict[Modality, Tensor]:
        """Reads inputs and up to `span` cached positions of the first rows; writes one position of each."""
        ids, positions, conditioning = self.inputs[:, :rows]
        x = F.embedding(ids, self.table)  # (R, D)
        cosines, sines = (table[positions][:, None, None] for table in self.rotary)  # (R, 1, 1, H)
        places = torch.arange(rows, device=self.device)
        for layers, slots in ((self.dual, conditioning + positions), (self.single, positions)):
            if layers:
                read = min(span, layers[0].keys.shape[2])
                seen = torch.arange(read, device=self.device) <= slots[:, None]  # (R, S)
                for layer in layers:
                    x = layer.step(x, (cosines, sines), (places, slots), seen[:, None, None])
        hidden = layer_norm(x, self.config.eps)
        n_codes = self.model.vocabulary.n_codes
        return {m: self.model.logits(hidden, m)[:, : n_codes(m)].float() for m in due}


def _power_of_two(number: int) -> int:
    """The next one."""
    return 1 << (number - 1).bit_length()


def _multiple(number: int, of: int) -> int:
    """The next one."""
    return -(-number // of) * of


def _positions(room: tuple[int, int, int]) -> int:
    rows, conditioning, length = room
    return rows * (conditioning + length)
