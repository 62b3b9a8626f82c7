"""Training tasks of the image tokenizer's two stages (Omni123 section 4.3, Figure 4).

Stage I: the continuous VAE, from pixels to pixels. Stage II: the 1D tokens, which reconstruct the frozen
VAE's latents and nothing else, with semantic regularisation; tails of the tokens are dropped so that the
first ones already mean the whole image.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.checkpoint import config_from_dict
from backend.image_tokenizer.encoder import DinoEncoder, load_dinov3
from backend.image_tokenizer.tokenizer import QFormerTokenizer, QFormerTokenizerConfig
from backend.image_tokenizer.vae import ImageVAE, ImageVAEConfig
from backend.shape_tokenizer.quantizer import CodebookUsage
from training.data.pictures import Pictures, ViewPictures, as_images
from training.data.views import Views
from training.evaluation.images import compare, reconstructions, report, vae_reconstructions
from training.loop import (
    LoopSettings,
    Loss,
    Stateless,
    averaged_weights,
    cut,
    means,
    rank_share,
    saved_recipe,
)
from training.model_folder import is_model, module_of

M = TypeVar("M", bound=nn.Module)

_HELD_OUT = 128  # pictures that evaluations look at
_AT_ONCE = 32  # of them in one forward pass
_MEASURED = 512  # pictures whose latents give the standardisation


@dataclass(frozen=True, kw_only=True)
class ImageVAERecipe:
    """Everything a run of stage I depends on. The paper names the loss; the weights are ours."""

    config: ImageVAEConfig
    loop: LoopSettings
    pretrained: str | None = None  # DINOv3 folder or hub id; the small encoder learns from scratch
    square_weight: float = 3.0  # of squared errors; with absolute ones alone colours stay grey for long
    edge_weight: float = 0.3  # of the error of differences between neighbouring pixels
    divergence_weight: float = 1e-4  # of nats per latent dimension; at 1e-3 colours drown in the noise
    kind_weight: float = 0.0  # of naming the object's kind, for an encoder that learns its semantics here
    recolor: float = 0.25  # share of pictures whose colour channels are swapped


@dataclass(frozen=True, kw_only=True)
class ImageTokenizerRecipe:
    """Everything a run of stage II depends on."""

    config: QFormerTokenizerConfig
    loop: LoopSettings
    quantise_from: int = 0  # step at which codes become discrete
    code_weight: float = 0.25  # of the quantiser's loss
    align_weight: float = 0.5  # of semantic regularisation (GigaTok)
    prefix_weight: float = 1.0  # of what the first tokens alone reconstruct
    restart_every: int = 200  # steps between restarts of unused codes
    recolor: float = 0.25  # as in stage I


class ImageVAETask(Stateless):
    """A `TrainingTask`: stage I."""

    def __init__(
        self, recipe: ImageVAERecipe, pictures: Pictures, held_out: Pictures, *, micro_samples: int = 64
    ) -> None:
        self.recipe, self.pictures, self.held_out = recipe, pictures, held_out
        self.micro_samples = micro_samples
        torch.manual_seed(recipe.loop.seed)
        autoencoding = _Autoencoding(recipe, len(pictures.kinds))
        mean = fixed_images(pictures).mean(dim=(0, 2, 3))
        autoencoding.vae.decoder.start_at(mean)
        self.model: nn.Module = autoencoding

    def parts(self, step: int, rank: int, world: int) -> list[dict[str, Tensor]]:
        loop = self.recipe.loop
        rng, count = np.random.default_rng((loop.seed, step, rank)), len(rank_share(loop.batch, rank, world))
        images, kinds = drawn(self.pictures, count, rng, self.recipe.recolor)
        return cut({"images": images, "kinds": kinds}, self.micro_samples)

    def loss(self, model: nn.Module, part: dict[str, Tensor]) -> Loss:
        images, kinds = part["images"], part["kinds"]
        made, divergence, named = model(images)
        recipe, error = self.recipe, made.float() - images
        absolute, square, edges = error.abs().mean(), error.square().mean(), edge_error(error)
        naming = F.cross_entropy(named.float(), kinds, ignore_index=-100)
        loss = absolute + recipe.square_weight * square + recipe.edge_weight * edges
        loss = loss + recipe.divergence_weight * divergence + recipe.kind_weight * naming
        terms = {"l1": absolute, "l2": square, "edges": edges, "nats": divergence, "naming": naming}
        return Loss(loss, len(images), len(images) * recipe.config.grid**2, means(len(images), terms))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        assert isinstance(model, _Autoencoding)
        images = fixed_images(self.held_out)
        with in_full_precision(model) as device:
            made = vae_reconstructions(model.vae, images.to(device))
        return compare(images, made.cpu())


class _Autoencoding(nn.Module):
    """Encoder, sampling and decoder in one forward pass, for data-parallel wrapping."""

    def __init__(self, recipe: ImageVAERecipe, n_kinds: int) -> None:
        super().__init__()
        self.vae = ImageVAE(recipe.config)
        self.naming = nn.Linear(recipe.config.encoder.width, n_kinds)
        if isinstance(self.vae.encoder, DinoEncoder):
            self.vae.encoder.requires_grad_(False)  # a representation autoencoder keeps its representation
            if recipe.pretrained is not None:
                load_dinov3(self.vae.encoder, recipe.pretrained)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions, divergence of the latents, and logits (B, kinds) of the semantic features."""
        posterior = self.vae.posterior(images)
        named = self.naming(posterior.semantics.mean(dim=1))
        return self.vae.decode(posterior.sample()), posterior.divergence(), named


class ImageTokenizerTask(Stateless):
    """A `TrainingTask`: stage II, on a VAE that gets no gradient."""

    def __init__(
        self,
        recipe: ImageTokenizerRecipe,
        vae: ImageVAE,
        pictures: Pictures,
        held_out: Pictures,
        *,
        micro_samples: int = 64,
    ) -> None:
        self.recipe, self.pictures, self.held_out = recipe, pictures, held_out
        self.micro_samples = micro_samples
        torch.manual_seed(recipe.loop.seed)
        compression = _Compression(recipe)
        compression.tokenizer.vae.load_state_dict(vae.state_dict())
        self.model: nn.Module = compression
        self._standardise()

    @property
    def _compression(self) -> _Compression:
        assert isinstance(self.model, _Compression)
        return self.model

    @torch.no_grad()
    def _latents(self, count: int, purpose: int) -> Tensor:
        """The VAE's latents (count, T, C) of pictures drawn for a purpose apart from training."""
        rng = np.random.default_rng((self.recipe.loop.seed, purpose, 0, 1))
        images, _ = drawn(self.pictures, count, rng, self.recipe.recolor)
        vae = self._compression.tokenizer.vae
        device = next(vae.parameters()).device
        return torch.cat([vae.encode(part.to(device)) for part in torch.split(images, _AT_ONCE)])

    def _standardise(self) -> None:
        tokenizer, latents = self._compression.tokenizer, self._latents(_MEASURED, 1).flatten(0, 1)
        tokenizer.latent_mean.copy_(latents.mean(dim=0))
        tokenizer.latent_scale.copy_((latents - latents.mean(dim=0)).square().mean().sqrt())

    def before_step(self, step: int) -> None:
        """Switches the codes on, filled from the encoder's own outputs; later restarts those unused."""
        recipe, model = self.recipe, self._compression
        quantizer = model.tokenizer.quantizer
        if step == recipe.quantise_from:
            count = max(_AT_ONCE, min(4 * recipe.config.n_codes // recipe.config.n_tokens, 4096))
            quantizer.initialise_from(self._encoded(count, 2))
        model.quantise = step >= recipe.quantise_from
        if step > recipe.quantise_from and step % recipe.restart_every == 0:
            generator = torch.Generator().manual_seed(step)
            model.usage.restart_dead(
                quantizer, quantizer.latents(self._encoded(_AT_ONCE, step)), generator=generator
            )

    @torch.no_grad()
    def _encoded(self, count: int, purpose: int) -> Tensor:
        tokenizer = self._compression.tokenizer
        parts = torch.split(tokenizer.standardised(self._latents(count, purpose)), _AT_ONCE)
        return torch.cat([tokenizer.encoder(part) for part in parts])

    def parts(self, step: int, rank: int, world: int) -> list[dict[str, Any]]:
        loop, config = self.recipe.loop, self.recipe.config
        rng = np.random.default_rng((loop.seed, step, rank))
        images, _ = drawn(self.pictures, len(rank_share(loop.batch, rank, world)), rng, self.recipe.recolor)
        return [
            part | {"kept": int(rng.integers(1, config.n_tokens + 1))}
            for part in cut({"images": images}, self.micro_samples)
        ]

    def loss(self, model: nn.Module, part: dict[str, Any]) -> Loss:
        recipe, images = self.recipe, part["images"]
        whole, prefix, align, codes = model(images, part["kept"])
        loss = (
            whole + recipe.prefix_weight * prefix + recipe.align_weight * align + recipe.code_weight * codes
        )
        terms = {"features": whole, "prefix": prefix, "align": align, "codes": codes}
        count = len(images)
        figures = means(count, terms | self._compression.usage.figures())
        return Loss(loss, count, count * (recipe.config.vae.grid**2 + recipe.config.n_tokens), figures)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Against the original: the VAE alone, all tokens, and the first half, quarter and eighth of them."""
        assert isinstance(model, _Compression)
        images = fixed_images(self.held_out)
        with in_full_precision(model) as device:
            made = reconstructions(model.tokenizer, images.to(device))
        return report(images, {name: value.cpu() for name, value in made.items()})


class _Compression(nn.Module):
    """Frozen VAE, Q-Former and quantiser in one forward pass, for data-parallel wrapping."""

    share: Tensor

    def __init__(self, recipe: ImageTokenizerRecipe) -> None:
        super().__init__()
        config = recipe.config
        self.tokenizer = QFormerTokenizer(config)
        self.aligned = nn.Sequential(
            nn.Linear(config.width, config.width),
            nn.GELU(),
            nn.Linear(config.width, config.vae.encoder.width),
        )
        self.tap, self.quantise = config.align_layer, False
        self.usage = CodebookUsage(config.n_codes)
        # A buffer, so that a resumed run restarts the same codes.
        self.register_buffer("share", self.usage.share)

    def forward(self, images: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Losses of the whole row, of its first `count` tokens, of semantic alignment and of the codes.

        One half of the batch is decoded whole and the other from the prefix.
        """
        tokenizer = self.tokenizer
        with torch.no_grad():
            posterior = tokenizer.vae.posterior(images)
            target = tokenizer.standardised(posterior.mean.float())
        tokens, codes = self._tokens(tokenizer.encoder(target))
        half = (len(images) + 1) // 2
        made, features = tokenizer.decoder(tokens[:half], self.tap)
        early, _ = tokenizer.decoder(tokens[half:, :count])
        likeness = F.cosine_similarity(
            self.aligned(features).float(), posterior.semantics[:half].float(), dim=-1
        )
        whole, prefix = F.mse_loss(made.float(), target[:half]), F.mse_loss(early.float(), target[half:])
        return whole, prefix, 1 - likeness.mean(), codes

    def _tokens(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Token embeddings (B, N, D) and the quantiser's loss, which is zero while codes are continuous."""
        quantizer = self.tokenizer.quantizer
        if not self.quantise:
            return quantizer.c_out(quantizer.latents(h)), h.new_zeros(())
        out = quantizer(h)
        if self.training:
            self.usage.share = self.share
            self.usage.update(out.ids)
        return out.embedding, 0.25 * out.commitment_loss + out.codebook_loss


def drawn(pictures: Pictures, count: int, rng: np.random.Generator, recolor: float) -> tuple[Tensor, Tensor]:
    """Images (B, 3, size, size), half of them mirrored and some with colours swapped, and kinds (B,)."""
    rows = pictures.draw(rng, count)
    pixels = pictures.read(rows)
    mirrored = rng.random(count) < 0.5
    pixels[mirrored] = pixels[mirrored][:, :, ::-1]
    for row in np.flatnonzero(rng.random(count) < recolor):
        pixels[row] = pixels[row][..., rng.permutation(3)]
    return as_images(pixels), torch.from_numpy(pictures.kind(rows))


def edge_error(error: Tensor) -> Tensor:
    """Mean absolute difference between neighbouring pixels' errors (B, 3, h, w): it keeps edges sharp."""
    return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()


def fixed_images(pictures: Pictures) -> Tensor:
    """A draw of pictures that never changes, (B, 3, size, size)."""
    count = min(_HELD_OUT, len(pictures))
    return as_images(pictures.read(pictures.draw(np.random.default_rng(0), count)))


@contextmanager
def in_full_precision(model: nn.Module) -> Iterator[torch.device]:
    """Pixels are judged to the last of 8 bits, which bf16 does not resolve; yields the model's device."""
    device = next(model.parameters()).device
    with torch.autocast(device.type, enabled=False):
        yield device


def view_pictures(data: Path, size: int) -> tuple[ViewPictures, ViewPictures]:
    """Training and held-out views of a data folder, as `omni123-train data run` makes them."""
    train = ViewPictures(Views(data, "train", size))
    return train, ViewPictures(Views(data, "val", size), train.kinds)


def trained_vae(run: Path) -> ImageVAE:
    """The VAE of a stage I run, averaged weights, ready for stage II."""
    vae = ImageVAE(config_from_dict(ImageVAEConfig, saved_recipe(run)["config"]))
    return _filled(vae, run, "vae.")


def trained_image_tokenizer(run: Path) -> QFormerTokenizer:
    """The tokenizer of a stage II run, averaged weights, or of a model folder, ready for inference."""
    if is_model(run):
        return module_of(run, "image_tokenizer", QFormerTokenizer)
    tokenizer = QFormerTokenizer(config_from_dict(QFormerTokenizerConfig, saved_recipe(run)["config"]))
    return _filled(tokenizer, run, "tokenizer.")


def _filled(module: M, run: Path, prefix: str) -> M:
    tensors = averaged_weights(run)
    module.load_state_dict(
        {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    )
    return module.eval()
