"""Decoding rows on a CPU, a token of each in one compiled call, near the bound of memory bandwidth.

R rows, D model width, N heads, H head dimension, S positions.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend.decode import plan as words
from backend.decode.crew import Crew, thread_count
from backend.decode.interface import LayerKeysValues
from backend.decode.microkernel import BFLOAT16, FLOAT32, INT8
from backend.decode.plan import Plan, row_bytes, zeros
from backend.model.layers import QK_EPS, DualBlock, SingleBlock
from backend.model.quantized import QuantizedLinear
from backend.model.rope import rotary_table
from backend.model.transformer import DualStreamTransformer
from backend.sequence import Modality

_STORED = {torch.float32: FLOAT32, torch.bfloat16: BFLOAT16, torch.int8: INT8}


class KernelRows:
    """A `RowDecoder` for CPUs over the model's own weights: float32, bfloat16 or int8, read where they are.

    It keeps no copy of them; a model whose tensors are replaced needs a new decoder. Activations, keys and
    values are float32. To the last bit, a row's logits depend neither on the other rows nor on the threads.
    """

    def __init__(self, model: DualStreamTransformer, threads: int | None = None) -> None:
        config = model.config
        self.config, self.modalities = config, model.vocabulary.modalities
        self._codes: dict[Modality | None, int] = {
            modality: model.vocabulary.n_codes(modality) for modality in self.modalities
        }
        # Rows of a batch are sorted by the head they ask for; those without one come last.
        self._ranks: dict[Modality | None, int] = {head: rank for rank, head in enumerate(self.modalities)}
        self._ranks[None] = len(self.modalities)
        with torch.inference_mode():
            self._table = model.embedding_table().contiguous()
        self._kept: list[Tensor] = []  # whose addresses the plan holds
        blocks: list[DualBlock | SingleBlock] = [*model.transformer.dual(), *model.transformer.single()]
        layers = [_parts(block) for block in blocks]
        records = [self._record(linear, None) for linears, _ in layers for linear in linears]
        heads = {"shape": "lm_head", "image": "image_head"}
        records += [
            self._record(model.get_submodule(heads[modality]), self._codes[modality])
            for modality in self.modalities
        ]
        self._linears = np.array(records, dtype=np.int64)
        self._norms = torch.stack([norms for _, norms in layers]).numpy()
        self._rows: dict[int, _Row] = {}
        self._sizes = (0, 0)  # row places, generation positions
        self._plan: Plan | None = None
        self._crew = Crew(thread_count() if threads is None else threads)
        weakref.finalize(self, self._crew.close)

    def _record(self, linear: nn.Module, outputs: int | None) -> list[int]:
        """A linear layer as a row of `LINEARS`; a head's rows after its codes are left out."""
        assert isinstance(linear, nn.Linear | QuantizedLinear)
        weight = linear.weight.detach()
        if weight.device.type != "cpu" or weight.dtype not in _STORED:
            raise ValueError(f"weights are {weight.dtype} on {weight.device}; this decoder is for CPUs")
        if not weight.is_contiguous():
            linear.weight.data = weight = weight.contiguous()
        scale = linear.scale if isinstance(linear, QuantizedLinear) else None
        vectors = [
            None if part is None else part.detach().float().contiguous() for part in (scale, linear.bias)
        ]
        self._kept += [weight, *(vector for vector in vectors if vector is not None)]
        addresses = [0 if vector is None else vector.data_ptr() for vector in vectors]
        rows = weight.shape[0] if outputs is None else outputs
        return [weight.data_ptr(), *addresses, _STORED[weight.dtype], rows, weight.shape[1]]

    def reserve(self, rows: int, conditioning: int, length: int) -> None:
        """Room for so many rows of so many positions, and never less than before; rows in flight survive.

        Conditioning is read where `join` finds it; its room here is only that of the scores.
        """
        old_rows, old_length = self._sizes
        positions = 0 if self._plan is None else self._plan.size(words.POSITIONS)
        if rows <= old_rows and length <= old_length and conditioning + length <= positions:
            return
        rows, length = max(rows, old_rows), max(length, old_length)
        plan = self._new_plan(rows, length, max(conditioning + length, positions))
        if self._plan is not None:
            plan[words.CACHE][:, :, :old_rows, :, :old_length] = self._plan[words.CACHE]
            plan[words.KNOWN][:old_rows] = self._plan[words.KNOWN]
        self._crew.assign(plan)
        self._plan, self._sizes = plan, (rows, length)

    def _new_plan(self, rows: int, length: int, positions: int) -> Plan:
        config = self.config
        width, hidden = config.width, config.mlp_ratio * config.width
        layers = config.n_dual + config.n_single
        head_dim = config.head_dim
        rotary = rotary_table(length, head_dim, config.rope_theta, torch.device("cpu"))
        places = len(self.modalities)
        codes, positions = max(self._codes.values()), -(-positions // 16) * 16
        sizes = {
            words.LAYERS: layers,
            words.DUAL: config.n_dual,
            words.WIDTH: width,
            words.HEADS: config.n_heads,
            words.HIDDEN: hidden,
            words.WIDTH_BYTES: row_bytes(width),
            words.HIDDEN_BYTES: row_bytes(hidden),
            words.THREADS: self._crew.threads,
            words.PLACES: rows,
            words.LENGTH: length,
            words.MODALITIES: places,
            words.CODES: codes,
            words.POSITIONS: positions,
            words.TABLE: self._table.data_ptr(),
            words.TABLE_KIND: _STORED[self._table.dtype],
        }
        arrays: dict[int, NDArray[np.generic]] = {
            words.LINEARS: self._linears,
            words.EPSILONS: np.array([config.eps, QK_EPS], dtype=np.float32),
            words.NORMS: self._norms,
            words.ROTARY: torch.stack(rotary).numpy(),
            words.CACHE: zeros(layers, 2, rows, config.n_heads, length, head_dim),
            words.KNOWN: zeros(rows, 1 + 2 * config.n_dual, dtype=torch.int64),
            words.BATCH: zeros(rows, words.BATCH_WORDS, dtype=torch.int64),
            words.ASKED: zeros(places, 2, dtype=torch.int64),
            words.X: zeros(rows, width),
            words.NORMED: zeros(rows, row_bytes(width) // 4),
            words.QKV: zeros(rows, 3 * width),
            words.ATTENDED: zeros(rows, row_bytes(width) // 4),
            words.ADDED: zeros(rows, width),
            words.GATED: zeros(rows, row_bytes(hidden) // 4),
            words.RAISED: zeros(rows, row_bytes(hidden) // 4),
            words.SCORES: zeros(self._crew.threads, positions),
        }
        return Plan(sizes, arrays)

    def join(
        self, row: int, conditioning: Sequence[LayerKeysValues], prefix: Sequence[LayerKeysValues] = ()
    ) -> None:
        """The row takes its place. The conditioning is referred to, not copied: rows may share it."""
        plan, places = self._plan, self._sizes[0]
        if plan is None or not 0 <= row < places or row in self._rows:
            raise ValueError(f"row {row} of {places} is taken or was never reserved")
        held = self._held(conditioning)
        known = held[0].shape[1] if held else 0
        start = prefix[0][0].shape[1] if prefix else 0
        if start > self._sizes[1] or known + self._sizes[1] > plan.size(words.POSITIONS):
            raise ValueError(f"{known} + {start} positions do not fit what was reserved")
        plan[words.KNOWN][row] = [known, *(tensor.data_ptr() for tensor in held)]
        for layer, pair in enumerate(prefix):
            for kind, tensor in enumerate(pair):
                plan[words.CACHE][layer, kind, row, :, :start] = tensor.detach().float().numpy()
        self._rows[row] = _Row(conditioning, held, start)

    def _held(self, conditioning: Sequence[LayerKeysValues]) -> list[Tensor]:
        """Keys and values of each dual layer, float32 and contiguous; once for rows that share them."""
        for other in self._rows.values():
            if other.conditioning is conditioning:
                return other.held
        return [tensor.detach().float().contiguous() for pair in conditioning for tensor in pair]

    def leave(self, row: int) -> None:
        del self._rows[row]

    def step(
        self, rows: Sequence[int], ids: Sequence[int], heads: Sequence[Modality | None]
    ) -> list[Tensor | None]:
        """Feed one id per row. Rows are batched by the head they ask for, whatever their order here."""
        plan, count = self._plan, len(rows)
        assert plan is not None
        order = sorted(range(count), key=lambda index: self._ranks[heads[index]])
        plan[words.BATCH][:count] = [self._place(rows[index], ids[index]) for index in order]
        ends = [sum(self._ranks[head] <= rank for head in heads) for rank in range(len(self.modalities))]
        plan[words.ASKED][:] = list(zip([0, *ends], ends, strict=False))
        # The caller keeps the logits, so every step has its own.
        logits = torch.empty(count, plan.size(words.CODES))
        plan.words[words.ROWS], plan.words[words.LOGITS] = count, logits.data_ptr()
        self._crew.step()
        out: list[Tensor | None] = [None] * count
        for index, row_logits in zip(order, logits.unbind(), strict=True):
            codes = self._codes.get(heads[index])
            if codes is not None:
                out[index] = row_logits if codes == len(row_logits) else row_logits[:codes]
        return out

    def _place(self, number: int, token: int) -> tuple[int, int, int]:
        """A row's words of the batch; it moves on by a position."""
        row = self._rows[number]
        if row.position >= self._sizes[1]:
            raise ValueError(f"row {number} has all its {row.position} positions")
        if not 0 <= token < len(self._table):
            raise ValueError(f"id {token} is not one of the {len(self._table)} of this model")
        row.position += 1
        return number, row.position - 1, token


class _Row:
    """A row in flight: what it is conditioned on, as given and as read, and its next position."""

    def __init__(self, conditioning: Sequence[LayerKeysValues], held: list[Tensor], position: int) -> None:
        self.conditioning, self.held, self.position = conditioning, held, position


def _parts(layer: DualBlock | SingleBlock) -> tuple[list[nn.Linear], Tensor]:
    """A layer's linears in the order of `LINEARS`, and the weights of its query and key norms (2, H)."""
    if isinstance(layer, DualBlock):
        projection, c_proj, mlp = layer.attn.pre_x, layer.post_1.c_proj, layer.post_1.mlp
    else:
        projection, c_proj, mlp = layer.attn, layer.attn.c_proj, layer.mlp
    linears = [projection.c_qk, projection.c_v, c_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    norms = torch.stack((projection.q_norm.weight, projection.k_norm.weight)).detach().float()
    return linears, norms
