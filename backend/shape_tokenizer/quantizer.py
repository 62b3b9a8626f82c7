"""Spherical vector quantisation: latents and codes of one length, so that only direction matters.

Tensor names and numerics are those of the published Cube3D tokenizer (Omni123 section 4.2). B batch,
N tokens, W width, C code dim, V codes, R = rows of several shapes together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.shape_tokenizer.ranks import from_first, summed
from backend.shape_tokenizer.transport import OptimalTransport

_ROWS_AT_ONCE = 8192  # rows compared with the codebook together: 0.5 GB of scores at 16,384 codes


class RMSNorm(nn.Module):
    """Scales the last dimension to root mean square one, in fp32; eps is 1e-5 in the published weights."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        normal = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        return (normal * self.weight.float()).to(x.dtype)


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """What one forward pass yields; the losses are means over tokens and code dimensions."""

    embedding: Tensor  # (B, N, W); gradients reach the encoder straight through
    ids: Tensor  # (B, N) int64
    latents: Tensor  # (B, N, C) before quantisation, on the sphere; feed them to CodebookUsage.restart_dead
    commitment_loss: Tensor  # pulls latents to their codes
    codebook_loss: Tensor  # pulls codes to their latents


class SphericalVectorQuantizer(nn.Module):
    """Nearest code on the sphere of radius sqrt(C), between projections from and to the tokenizer's width.

    While training, `transport` assigns codes instead, if it is set; it is no part of the weights. With
    `shortcut` > 0 (Cube3D's stochastic linear shortcut) that share of training samples bypasses the codes
    through `c_x`; otherwise `c_x` is frozen and only carried for the published format's sake.
    """

    def __init__(self, *, width: int, n_codes: int, code_dim: int, shortcut: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= shortcut < 1.0:
            raise ValueError(f"shortcut must be a probability below one, not {shortcut}")
        self.shortcut = shortcut
        self.transport: OptimalTransport | None = None
        self.cb_weight = nn.Parameter(torch.ones(code_dim))
        self.cb_bias = nn.Parameter(torch.zeros(code_dim))
        self.codebook = nn.Embedding(n_codes, code_dim)
        # Full norm from the start: with the published +-1/V the norm's eps would shrink every code to 1 %.
        nn.init.normal_(self.codebook.weight)
        self.c_in = nn.Linear(width, code_dim)
        self.c_x = nn.Linear(width, code_dim).requires_grad_(shortcut > 0)
        self.c_out = nn.Linear(code_dim, width)
        self.norm = RMSNorm(code_dim).requires_grad_(False)

    def codebook_table(self) -> Tensor:
        """(V, C) codes, each of length sqrt(C)."""
        rows = self.codebook.weight.float() * self.cb_weight.float() + self.cb_bias.float()
        table: Tensor = self.norm(rows)
        return table

    def latents(self, h: Tensor) -> Tensor:
        """(B, N, W) to (B, N, C) on the sphere, fp32 whatever the surrounding precision."""
        with torch.autocast(h.device.type, enabled=False):
            z: Tensor = self.norm(F.linear(h.float(), self.c_in.weight.float(), self.c_in.bias.float()))
        return z

    def encode_ids(self, h: Tensor) -> Tensor:
        """(B, N, W) to ids (B, N) int64."""
        z = self.latents(h)
        return nearest(z.flatten(0, -2), self.codebook_table()).view(z.shape[:-1])

    def embed(self, ids: Tensor) -> Tensor:
        """Ids (B, N) to (B, N, W)."""
        embedding: Tensor = self.c_out(self.codebook_table()[ids].to(self.c_out.weight.dtype))
        return embedding

    def forward(self, h: Tensor) -> Quantized:
        z = self.latents(h)
        table = self.codebook_table()
        assign = self.transport.assign if self.training and self.transport is not None else nearest
        ids = assign(z.detach().flatten(0, -2), table.detach()).view(z.shape[:-1])
        codes = table[ids]
        passed = z + (codes - z).detach()
        if self.training and self.shortcut > 0:
            bypass = torch.rand(len(h), 1, 1, device=h.device) < self.shortcut
            passed = torch.where(bypass, self.norm(self.c_x(h).float()), passed)
        return Quantized(
            embedding=self.c_out(passed.to(h.dtype)),
            ids=ids,
            latents=z,
            commitment_loss=F.mse_loss(z, codes.detach()),
            codebook_loss=F.mse_loss(codes, z.detach()),
        )

    @torch.no_grad()
    def initialise_from(self, h: Tensor, *, iterations: int = 10, seed: int = 0) -> None:
        """Spherical k-means of encoder outputs (R, W) or (B, N, W) becomes the codebook.

        Few rows give codes that repeat; slight noise keeps those apart. All ranks get the first one's codes.
        """
        generator = torch.Generator(device=h.device).manual_seed(seed)
        codes = spherical_kmeans(
            self.latents(h).flatten(0, -2),
            len(self.codebook.weight),
            iterations=iterations,
            generator=generator,
        )
        self.cb_weight.fill_(1.0)
        self.cb_bias.zero_()
        self.codebook.weight.copy_(from_first(codes))


class CodebookUsage:
    """Running share of tokens each code receives over all ranks, for reports and for restarting dead codes.

    Lives beside the optimiser in training and is not part of the weights.
    """

    def __init__(self, n_codes: int, *, decay: float = 0.99) -> None:
        self.share = torch.full((n_codes,), 1.0 / n_codes)  # (V,) sums to one
        self.decay = decay

    def update(self, ids: Tensor) -> None:
        """Counts the ids of one step, of any shape; every rank calls this, and all come to one result."""
        counts = torch.bincount(ids.detach().flatten(), minlength=len(self.share)).float()
        counts = summed(counts).to(self.share.device)
        self.share.lerp_(counts / counts.sum(), 1.0 - self.decay)

    def perplexity(self) -> float:
        """exp of the entropy: V when all codes are used alike, 1 when only one is."""
        return float(torch.exp(-(self.share * self.share.clamp_min(1e-12).log()).sum()))

    def dead(self, threshold: float = 0.05) -> Tensor:
        """(V,) bool: codes that receive less than `threshold` of an even share."""
        return self.share * len(self.share) < threshold

    def figures(self) -> dict[str, float]:
        """The codebook's health, for a training log."""
        dead = float(self.dead().float().mean())
        return {"perplexity": self.perplexity(), "dead_codes": dead}

    @torch.no_grad()
    def restart_dead(
        self,
        quantizer: SphericalVectorQuantizer,
        latents: Tensor,
        *,
        generator: torch.Generator,
        threshold: float = 0.05,
    ) -> int:
        """Moves dead codes onto random latents (..., C) of the current step; returns how many.

        `generator` is a CPU generator, so that a run repeats on any device. All ranks take the first one's
        latents: their codebooks must stay one.
        """
        dead = self.dead(threshold).nonzero().flatten()
        if len(dead) == 0:
            return 0
        rows = latents.detach().flatten(0, -2).float()
        pick = torch.randint(len(rows), (len(dead),), generator=generator)
        chosen = from_first(rows[pick.to(rows.device)].contiguous())
        weight, bias = quantizer.cb_weight, quantizer.cb_bias
        # The table is norm(E * weight + bias), so E takes the latent with that undone.
        fresh = (chosen - bias) / torch.where(weight.abs() < 1e-3, torch.ones_like(weight), weight)
        where = dead.to(quantizer.codebook.weight.device)
        quantizer.codebook.weight[where] = fresh.to(quantizer.codebook.weight)
        self.share[dead] = 1.0 / len(self.share)
        self.share /= self.share.sum()
        return len(dead)


def nearest(rows: Tensor, table: Tensor) -> Tensor:
    """Index (R,) of the code in (V, C) nearest to each row (R, C), in fp32 under any autocast."""
    with torch.autocast(rows.device.type, enabled=False):
        offset = (
            table.square().sum(dim=-1) / 2
        )  # constant for codes of one length, where this is cosine argmax
        parts = [(part @ table.T - offset).argmax(dim=-1) for part in torch.split(rows, _ROWS_AT_ONCE)]
    return torch.cat(parts)


def spherical_kmeans(rows: Tensor, n_codes: int, *, iterations: int, generator: torch.Generator) -> Tensor:
    """(n_codes, C) cluster centres of length sqrt(C) of rows (R, C) that lie on that sphere."""
    R, C = rows.shape
    device = generator.device
    order = torch.randperm(R, generator=generator, device=device)
    if n_codes > R:
        extra = torch.randint(R, (n_codes - R,), generator=generator, device=device)
        order = torch.cat([order, extra])
    noise = torch.randn(n_codes, C, generator=generator, device=device)
    codes = rows[order[:n_codes]] + 1e-2 * noise
    codes = F.normalize(codes, dim=-1) * C**0.5
    for _ in range(iterations):
        ids = nearest(rows, codes)
        sums = torch.zeros_like(codes).index_add_(0, ids, rows)
        moved = F.normalize(sums, dim=-1) * C**0.5
        empty = torch.bincount(ids, minlength=n_codes) == 0
        codes = torch.where(empty[:, None], codes, moved)
    return codes
