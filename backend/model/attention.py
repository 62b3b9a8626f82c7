"""Who sees whom, as the `Attend` that layers are given: rows side by side, or the stacks of a pack.

B samples or rows, L generation positions of each, P positions of a pack, U conditionings of C embeddings,
T real ones in all, N heads, H head dimension, S keys.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from backend.model.layers import Attend, JointAttend, KeysValues
from backend.sequence import PackedBatch, visibility

SHORT = 1 << 20  # scores of one head that the CPU rather keeps than computes again


def attend_rows(mask: Tensor | None, *, causal: bool = False) -> Attend:
    """mask: broadcastable to (B, N, L, S); None: everyone sees everyone, or the earlier ones if `causal`."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal).transpose(1, 2)

    return attend


def attend_joint(mask: Tensor | None) -> JointAttend:
    """The same over conditioning (B, C, N, H), which comes before the own keys: S = C + L."""
    attend = attend_rows(mask)

    def joint(q: Tensor, k: Tensor, v: Tensor, conditioning: KeysValues) -> Tensor:
        keys, values = conditioning
        return attend(q, torch.cat((keys, k), dim=1), torch.cat((values, v), dim=1))

    return joint


class ShortAttention(torch.autograd.Function):
    """Attention that keeps its probabilities, with a bias (..., L, S) added to the scores.

    On CPUs batched matrix products run at several times the speed of the fused kernel, which pays only
    where the scores do not fit into caches and memory.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """q (B, N, L, H), k, v (B, N, S, H) -> (B, N, L, H)."""
        q = q * q.shape[-1] ** -0.5
        weights = torch.matmul(q, k.transpose(-1, -2)).add_(bias).softmax(dim=-1)
        ctx.save_for_backward(q, k, v, weights)
        return torch.matmul(weights, v)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, weights = ctx.saved_tensors
        (grad,) = grads
        towards_weights = torch.matmul(grad, v.transpose(-1, -2))
        scores = torch._softmax_backward_data(towards_weights, weights, -1, weights.dtype)
        towards_q = torch.matmul(scores, k).mul_(q.shape[-1] ** -0.5)
        towards_k = torch.matmul(scores.transpose(-1, -2), q)
        return towards_q, towards_k, torch.matmul(weights.transpose(-1, -2), grad), None


def attend_stack(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """q (n, L, N, H), k, v (n, S, N, H), mask (n or 1, 1, L, S) bool -> (n, L, N, H)."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if q.device.type != "cpu" or mask.shape[-1] * mask.shape[-2] > SHORT:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)
    bias = torch.zeros(mask.shape, dtype=q.dtype).masked_fill_(~mask, -math.inf)
    out: Tensor = ShortAttention.apply(q, k, v, bias)  # type: ignore[no-untyped-call]
    return out.transpose(1, 2)


class PackedText(NamedTuple):
    """Conditionings as one stream, their real embeddings one after another."""

    tokens: Tensor  # (T, D)
    slots: Tensor  # (T,) int64, where each lies in (U, C) laid flat
    known: Tensor  # (U, C) bool, which of those hold one; they come first in each row
    rows: Tensor  # (B,) int64, which of the U each sample reads

    @classmethod
    def of(cls, tokens: Tensor, mask: Tensor, rows: Tensor) -> PackedText:
        """Of padded ones: tokens (U, C, D), mask (U, C)."""
        counts = mask.sum(dim=1)
        size = int(counts.max())
        begins = torch.arange(len(mask), device=mask.device)[:, None] * size
        slots = (mask.cumsum(dim=1) - 1 + begins).masked_select(mask)
        chosen = mask.flatten().nonzero()[:, 0]
        known = torch.arange(size, device=mask.device) < counts[:, None]
        return cls(tokens.flatten(0, 1).index_select(0, chosen), slots, known, rows)

    def padded(self, x: Tensor) -> Tensor:
        """(T, N, H) -> (U, C, N, H)"""
        shape = self.known.shape
        return (
            x.new_zeros(shape.numel(), *x.shape[1:]).index_copy(0, self.slots, x).view(*shape, *x.shape[1:])
        )


class PackedAttention:
    """Attention of a pack's positions: each to its own sample, in dual layers also to the sample's text."""

    def __init__(self, batch: PackedBatch, text: PackedText, *, causal_text: bool) -> None:
        self.stacks, self.text = batch.stacks, text
        self.sizes = [stack.stop - stack.start for stack in batch.stacks]
        self.reads = [text.rows[stack.samples] for stack in batch.stacks]
        device = batch.inputs.device
        self.own = [visibility(stack.prefix, stack.length, device)[None, None] for stack in batch.stacks]
        self.both = [
            self._joint_mask(own, known)
            for own, known in zip(self.own, (text.known[rows] for rows in self.reads), strict=True)
        ]
        self.among = conditioning_mask(text.known, causal=causal_text)

    @staticmethod
    def _joint_mask(own: Tensor, known: Tensor) -> Tensor:
        """own (1, 1, L, L), known (n, C) -> (n, 1, L, C + L)."""
        n, length = len(known), own.shape[-1]
        text = known[:, None, None, :].expand(-1, -1, length, -1)
        return torch.cat((text, own.expand(n, -1, -1, -1)), dim=-1)

    def _stacked(self, x: Tensor) -> list[Tensor]:
        """(P, N, H) -> (n, L, N, H) of each stack."""
        pairs = zip(torch.split(x, self.sizes), self.stacks, strict=True)
        return [part.reshape(-1, stack.length, *x.shape[1:]) for part, stack in pairs]

    def among_text(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(T, N, H) of the conditioning stream, attending to itself."""
        q, k, v = (self.text.padded(x) for x in (q, k, v))
        return attend_stack(q, k, v, self.among).flatten(0, 1).index_select(0, self.text.slots)

    def with_text(self, q: Tensor, k: Tensor, v: Tensor, conditioning: KeysValues) -> Tensor:
        """(P, N, H) over the conditioning's (T, N, H) and itself."""
        text = [self.text.padded(x) for x in conditioning]
        out = []
        for read, mask, *own in zip(self.reads, self.both, *map(self._stacked, (q, k, v)), strict=True):
            pairs = zip(text, own[1:], strict=True)
            keys, values = (torch.cat((x.index_select(0, read), y), dim=1) for x, y in pairs)
            out.append(attend_stack(own[0], keys, values, mask).flatten(0, 1))
        return torch.cat(out)

    def alone(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(P, N, H) over itself."""
        parts = zip(self._stacked(q), self._stacked(k), self._stacked(v), self.own, strict=True)
        return torch.cat([attend_stack(*own).flatten(0, 1) for own in parts])


def conditioning_mask(known: Tensor, *, causal: bool) -> Tensor:
    """(U, C) bool -> (U, 1, C, C) bool of who sees whom; padding sees itself, so no row is empty."""
    size = known.shape[1]
    itself = torch.eye(size, dtype=torch.bool, device=known.device)
    seen = known[:, None, :].expand(-1, size, -1)
    return (seen.tril() if causal else seen).logical_or(itself)[:, None]
