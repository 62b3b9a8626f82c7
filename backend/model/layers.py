"""The two kinds of layer (Omni123 section 4.1, Cube3D's dual stream), named as in the published checkpoints.

D model width, N heads, H head dimension; ... is what positions are laid out in: (B, L), or a pack's (P,).
Conditioning tokens all sit at position 0, where RoPE is the identity, so only generation tokens are rotated.
The conditioning stream never sees the generation, so each layer runs it first: `condition`, then `generate`.
Layers work on positions one by one; who sees whom is up to the `Attend` they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.model.config import TransformerConfig
from backend.model.rope import as_complex, as_pairs, rotate

Rotary = tuple[Tensor, Tensor]  # cosines and signed sines, which broadcast to (..., N, H)
KeysValues = tuple[Tensor, Tensor]  # of one layer, keys rotated where they have a position
# Queries, keys and values (..., N, H) -> what each position attended to (..., N, H).
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
# The same where the conditioning's keys and values, as `condition` gave them, are seen too.
JointAttend = Callable[[Tensor, Tensor, Tensor, KeysValues], Tensor]
QK_EPS = 1e-5  # of the query and key norms in every published checkpoint, whatever the config's eps


def layer_norm(x: Tensor, eps: float) -> Tensor:
    """LayerNorm without affine over the last dimension, in float32 whatever x is.

    Under autocast the result has its type, once for all linear layers that read it.
    """
    kind, dtype = x.device.type, x.dtype
    if kind != "meta" and torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
    return F.layer_norm(x.float(), x.shape[-1:], eps=eps).to(dtype)


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the head dimension, in float32."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        full = x.float()
        scale = torch.rsqrt(full.square().mean(-1, keepdim=True) + QK_EPS)
        return (full * scale * self.weight).to(x.dtype)


class NormedRotation(torch.autograd.Function):
    """RMSNorm, then rotation, of queries and keys at once: what `RMSNorm` and `rotate` do, in half the time.

    Eager operations are bound by passes over memory; a compiler makes its own of the plain ones.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, turn: Tensor) -> Tensor:
        """x (..., 2, N, H), weight (2, 1, H), turn (..., 1, 1, H/2) complex -> as x."""
        full = x.float()
        if full is x:
            full = x.clone()
        scale = torch.linalg.vector_norm(full, dim=-1, keepdim=True)
        scale = scale.square_().div_(x.shape[-1]).add_(QK_EPS).rsqrt_()
        ctx.save_for_backward(x, weight, turn, scale)
        as_pairs(full.mul_(scale).mul_(weight)).mul_(turn)
        return full.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, turn, scale = ctx.saved_tensors
        turned = as_pairs(grads[0].float()) * turn.conj()
        grad = torch.view_as_real(turned).flatten(-2)
        normed = x.float() * scale
        towards_weight = (grad * normed).flatten(0, -4).sum(0).sum(-2, keepdim=True)
        grad.mul_(weight)
        along = (grad * normed).mean(-1, keepdim=True)
        towards_x = grad.addcmul_(normed, along, value=-1).mul_(scale)
        return towards_x.to(x.dtype), towards_weight.to(weight.dtype), None


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        hidden = config.mlp_ratio * config.width
        self.gate_proj = nn.Linear(config.width, hidden, bias=config.bias)
        self.up_proj = nn.Linear(config.width, hidden, bias=config.bias)
        self.down_proj = nn.Linear(hidden, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(..., N*H) -> (..., N, H)"""
    return x.view(*x.shape[:-1], n_heads, -1)


class Projection(nn.Module):
    """Queries, keys and values of one stream: joint query-key projection, per-head RMSNorm before RoPE."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.c_qk = nn.Linear(config.width, 2 * config.width, bias=False)
        self.c_v = nn.Linear(config.width, config.width, bias=config.bias)
        self.q_norm = RMSNorm(config.head_dim)
        self.k_norm = RMSNorm(config.head_dim)

    def forward(self, x: Tensor, rotary: Rotary | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised x (..., D) -> queries, keys, values, each (..., N, H)."""
        q, k = self._queries_and_keys(self.c_qk(x), rotary)
        return q, k, split_heads(self.c_v(x), self.n_heads)

    def _queries_and_keys(self, x: Tensor, rotary: Rotary | None) -> tuple[Tensor, Tensor]:
        """Projected (..., 2 * D) -> both (..., N, H)."""
        if rotary is not None and not torch.compiler.is_compiling():
            both = x.view(*x.shape[:-1], 2, self.n_heads, -1)
            weight = torch.stack((self.q_norm.weight, self.k_norm.weight))[:, None]
            out: Tensor = NormedRotation.apply(  # type: ignore[no-untyped-call]
                both, weight, as_complex(*rotary)[..., None, :, :]
            )
            q, k = out.unbind(-3)
            return q, k
        q, k = x.chunk(2, dim=-1)
        q, k = self.q_norm(split_heads(q, self.n_heads)), self.k_norm(split_heads(k, self.n_heads))
        return (q, k) if rotary is None else (rotate(q, *rotary), rotate(k, *rotary))


class KeyValueProjection(nn.Module):
    """The last dual layer's conditioning: keys and values only, nobody reads its queries."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.c_k = nn.Linear(config.width, config.width, bias=config.bias)
        self.c_v = nn.Linear(config.width, config.width, bias=config.bias)
        self.k_norm = RMSNorm(config.head_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised x (..., D) -> keys, values, each (..., N, H)."""
        keys = self.k_norm(split_heads(self.c_k(x), self.n_heads))
        return keys, split_heads(self.c_v(x), self.n_heads)


class PostAttention(nn.Module):
    """After attention, in one stream of a dual layer."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.c_proj = nn.Linear(config.width, config.width, bias=config.bias)
        self.mlp = SwiGLU(config)


def project(
    projection: nn.Module, x: Tensor, eps: float, rotary: Rotary | None
) -> tuple[Tensor, Tensor, Tensor]:
    """What a layer does before its attention, x (..., D) -> queries, keys, values, each (..., N, H)."""
    out: tuple[Tensor, Tensor, Tensor] = projection(layer_norm(x, eps), rotary)
    return out


def finish(c_proj: nn.Linear, mlp: SwiGLU, x: Tensor, attended: Tensor, eps: float) -> Tensor:
    """After it: output projection and feed-forward, both residual; attended (..., N, H), x (..., D)."""
    x = x + c_proj(attended.flatten(-2))
    out: Tensor = x + mlp(layer_norm(x, eps))
    return out


@cache
def _compiled() -> tuple[Any, Any]:
    """Both for every length, once for all layers."""
    return torch.compile(project, dynamic=True), torch.compile(finish, dynamic=True)


class JointProjection(nn.Module):
    """The projections of both streams of a dual layer."""

    def __init__(self, config: TransformerConfig, *, last: bool) -> None:
        super().__init__()
        self.pre_x = Projection(config)
        self.pre_c = KeyValueProjection(config) if last else Projection(config)


class DualBlock(nn.Module):
    """A dual-stream layer: own projections and feed-forward per stream, one joint attention."""

    def __init__(self, config: TransformerConfig, *, last: bool) -> None:
        super().__init__()
        self.eps, self.project, self.finish = config.eps, project, finish
        self.attn = JointProjection(config, last=last)
        self.post_1 = PostAttention(config)
        self.post_2 = None if last else PostAttention(config)

    def condition(self, c: Tensor, attend: Attend) -> tuple[Tensor, KeysValues]:
        """c (..., D) -> the next c, and its keys and values (..., N, H).

        The last layer hands c back as it came: nothing reads it.
        """
        if self.post_2 is None:
            return c, self.attn.pre_c(layer_norm(c, self.eps))
        q, keys, values = self.project(self.attn.pre_c, c, self.eps, None)
        post = self.post_2
        return self.finish(post.c_proj, post.mlp, c, attend(q, keys, values), self.eps), (keys, values)

    def generate(
        self, x: Tensor, rotary: Rotary, conditioning: KeysValues, attend: JointAttend
    ) -> tuple[Tensor, KeysValues]:
        """x (..., D) over the conditioning and itself -> next x, and its own keys and values (..., N, H)."""
        q, k, v = self.project(self.attn.pre_x, x, self.eps, rotary)
        attended, post = attend(q, k, v, conditioning), self.post_1
        return self.finish(post.c_proj, post.mlp, x, attended, self.eps), (k, v)

    def forward(
        self, c: Tensor, x: Tensor, rotary: Rotary, among: Attend, joint: JointAttend
    ) -> tuple[Tensor, Tensor]:
        """Both streams in one call, as training runs them: sharding gathers a layer's weights around it."""
        c, conditioning = self.condition(c, among)
        return c, self.generate(x, rotary, conditioning, joint)[0]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """What is done position by position; attention's shapes change with every pack."""
        self.project, self.finish = _compiled()


class SelfAttention(Projection):
    """A single-stream layer's projections with their output projection, flat as the published names are."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.c_proj = nn.Linear(config.width, config.width, bias=config.bias)


class SingleBlock(nn.Module):
    """A single-stream layer, on generation tokens alone."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.eps, self.project, self.finish = config.eps, project, finish
        self.attn = SelfAttention(config)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, rotary: Rotary, attend: Attend) -> Tensor:
        """x (..., D) -> next x."""
        return self.generate(x, rotary, attend)[0]

    def generate(self, x: Tensor, rotary: Rotary, attend: Attend) -> tuple[Tensor, KeysValues]:
        """x (..., D) -> next x, and its own keys and values (..., N, H)."""
        q, k, v = self.project(self.attn, x, self.eps, rotary)
        return self.finish(self.attn.c_proj, self.mlp, x, attend(q, k, v), self.eps), (k, v)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As of a dual layer."""
        self.project, self.finish = _compiled()
