"""Logits to the next id: guidance, temperature, top-k and nucleus, as functions of tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How one shape is drawn. ValueErrors are sentences an artist may read."""

    seed: int = 0
    guidance: float = 5.0  # g of (1 + g) * conditional - g * unconditional; 0 runs no unconditional row
    guidance_schedule: Literal["constant", "linear"] = "constant"  # paper; published Cube3D falls linearly
    temperature: float = 0.0  # 0 is greedy (paper)
    top_k: int = 0  # only the k likeliest; 0 is all
    top_p: float = 1.0  # smallest set of likeliest ids with at least this probability

    def __post_init__(self) -> None:
        _check(
            math.isfinite(self.guidance) and 0 <= self.guidance <= 50, "guidance", self.guidance, "0 to 50"
        )
        _check(
            math.isfinite(self.temperature) and 0 <= self.temperature <= 10,
            "temperature",
            self.temperature,
            "0 to 10",
        )
        _check(self.top_k >= 0, "top-k", self.top_k, "0 or more")
        _check(0 < self.top_p <= 1, "top-p", self.top_p, "above 0, up to 1")
        _check(0 <= self.seed < 2**63, "seed", self.seed, "0 or more, below 2^63")
        if self.guidance_schedule not in ("constant", "linear"):
            raise ValueError(
                f"guidance schedule is {self.guidance_schedule!r}, it must be constant or linear"
            )

    def guidance_at(self, index: int, total: int) -> float:
        """Guidance of token `index` of `total`; the linear schedule falls from g to g / total."""
        if self.guidance_schedule == "constant":
            return self.guidance
        return self.guidance * (total - index) / total


def _check(holds: bool, name: str, value: float, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value}, it must be {wanted}")


def guided(conditional: Tensor, unconditional: Tensor, guidance: float) -> Tensor:
    """(1 + g) * conditional - g * unconditional, any shape (classifier-free guidance)."""
    return torch.lerp(unconditional, conditional, 1.0 + guidance)


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """(V,) with all but the k largest at minus infinity."""
    if k == 0 or k >= logits.shape[-1]:
        return logits
    least = logits.topk(k).values[-1]
    return logits.masked_fill(logits < least, -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """(V,) with all outside the nucleus at minus infinity; the id that reaches p stays (Holtzman 2020)."""
    if p >= 1.0:
        return logits
    ordered, order = logits.softmax(dim=-1).sort(descending=True)
    before = ordered.cumsum(dim=-1) - ordered  # probability of the likelier ones
    return logits.masked_fill(
        torch.empty_like(before, dtype=torch.bool).scatter_(0, order, before >= p), -torch.inf
    )


def choose(logits: Tensor, settings: SamplingSettings, generator: torch.Generator) -> Tensor:
    """The next id, a scalar int64 tensor, from logits (V,)."""
    if settings.temperature == 0:
        return logits.argmax()
    allowed = keep_top_p(keep_top_k(logits / settings.temperature, settings.top_k), settings.top_p)
    return torch.multinomial(allowed.softmax(dim=-1), 1, generator=generator)[0]
