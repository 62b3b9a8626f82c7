"""Gradients that do not depend on how a batch was divided over devices and micro-batches."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from training.loop.checkpoint import whole


def touch_all(model: nn.Module) -> None:
    """Make every output depend on every parameter, by nothing.

    A rank's micro-batch may hold no image, say, and reductions over ranks wait for all parameters.
    """

    def touch(module: nn.Module, _: object, output: object) -> object:
        if not torch.is_grad_enabled():
            return output
        nothing = sum(p.flatten()[:0].sum() for p in module.parameters() if p.requires_grad)
        leaves, spec = pytree.tree_flatten(output)
        row = next(i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.requires_grad)
        leaves[row] = leaves[row] + nothing
        return pytree.tree_unflatten(leaves, spec)

    model.register_forward_hook(touch)


@torch.no_grad()
def clip(model: nn.Module, limit: float) -> float:
    """Scale all gradients so that their norm is at most `limit`; returns the norm before.

    A parameter that nothing in the whole step's batch depended on keeps no gradient, so that the optimiser
    leaves it and its moments alone on any number of devices. Raises ValueError where it is not finite.
    """
    given = [parameter for parameter in model.parameters() if parameter.grad is not None]
    gradients = [parameter.grad for parameter in given if parameter.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    each = whole(norms).double()
    total = each.norm()
    values: list[float] = torch.cat([each, total[None]]).tolist()
    if not math.isfinite(values[-1]):
        raise ValueError("the gradient is not finite; a lower learning rate or float32 may help")
    if values[-1] > limit:
        torch._foreach_mul_(gradients, limit / (values[-1] + 1e-6))
    for parameter, norm in zip(given, values, strict=False):
        if norm == 0.0:
            parameter.grad = None
    return values[-1]
