"""The named models, and what each weighs: the size of every part, counted on the meta device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from backend.image_tokenizer.encoder import EncoderConfig
from backend.image_tokenizer.tokenizer import QFormerTokenizer, QFormerTokenizerConfig
from backend.image_tokenizer.vae import ImageVAEConfig
from backend.model.config import TextInput, TransformerConfig
from backend.model.transformer import DualStreamTransformer
from backend.sequence import VIEWS
from backend.shape_tokenizer import perceiver
from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer, PerceiverShapeTokenizerConfig

CLIP = "clip:openai/clip-vit-large-patch14"
IMAGE_SIZES = {256: 256, 1024: 512}  # tokens of an image -> pixels along its sides, stage 1 and later
CLIP_TEXT = TextInput(width=768, tokens=77)
MINI_SHAPE_TOKENIZER = GridShapeTokenizerConfig(
    token_grid=6, width=160, mid_width=64, field_width=32, n_heads=5
)

# 128 pixels, 8 x 8 latents of 64 dimensions, an encoder of three layers that learns from scratch.
MINI_IMAGE_VAE = ImageVAEConfig(
    size=128,
    latent_dim=64,
    encoder=EncoderConfig(
        kind="small", width=160, n_layers=3, n_heads=5, n_registers=0, stem_width=64, shallow=(0,)
    ),
    texture_dim=128,
    semantic_dim=64,
    width=160,
    n_layers=3,
    n_heads=5,
    fine_width=64,
    n_fine=2,
)
MINI_IMAGE_TOKENIZER = QFormerTokenizerConfig(
    vae=MINI_IMAGE_VAE,
    n_tokens=64,
    n_codes=512,
    code_dim=16,
    width=160,
    n_heads=5,
    n_encoder_layers=2,
    n_decoder_layers=4,
    align_layer=2,
)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A model by name: what its modules are made from."""

    name: str
    transformer: TransformerConfig
    shape_tokenizer: PerceiverShapeTokenizerConfig | GridShapeTokenizerConfig
    image_tokenizer: QFormerTokenizerConfig | None = None
    text_encoder: str  # as `backend.model.text.text_encoder` reads it


def omni123_2b(*, image_tokens: int = 1024, views: bool = True, qwen_tokens: int = 256) -> Preset:
    """Table 3. 256 tokens per image in stage 1 of pre-training, 1,024 later; view tokens come with continued
    training; how many embeddings of Qwen3 are read, the paper leaves open.

    It gives the total as 2.2 B, but not which codes are embedded by free rows and which by a projection of
    their codebook. The blocks have 2,006,313,856 parameters; with untied heads, text projections and view
    tokens, but without the null text (0.5 M), the readings come to

        A  rows for shapes and for images          2.261 B
        C  rows for shapes, projection for images  2.160 B, this one
        D  projection for shapes, rows for images  2.236 B
        E  projections for both                    2.135 B

    C and D round to 2.2 B. Of 65,536 free rows the rare ones would hardly be trained, and Cube3D, whose
    backbone this is, stores a whole table for shapes.
    """
    return Preset(
        name="omni123-2b",
        transformer=TransformerConfig(
            n_dual=24,
            n_single=6,
            width=1536,
            n_heads=12,
            token_dropout=0.1,
            n_shape_codes=16_384,  # not in the paper: Cube3D's
            shape_code_dim=16,
            n_shape_tokens=1024,
            embed_codes="learned",
            n_image_codes=65_536,
            image_code_dim=64,
            n_image_tokens=image_tokens,
            n_views=len(VIEWS) if views else 0,
            text=(CLIP_TEXT, TextInput(width=1024, tokens=qwen_tokens)),
        ),
        shape_tokenizer=perceiver.paper(),
        image_tokenizer=QFormerTokenizerConfig(
            n_tokens=image_tokens, vae=ImageVAEConfig(size=IMAGE_SIZES[image_tokens])
        ),
        text_encoder=f"{CLIP}+qwen3:Qwen/Qwen3-0.6B@{qwen_tokens}",
    )


def cube3d_v0_5() -> Preset:
    """Published Cube3D with a bounding box; its constants are not those of Table 3."""
    return Preset(
        name="cube3d-v0.5",
        transformer=TransformerConfig(
            n_dual=23,
            n_single=1,
            width=1536,
            n_heads=12,
            rope_theta=10_000.0,
            n_shape_codes=16_384,
            shape_code_dim=32,
            n_shape_tokens=1024,
            text=(CLIP_TEXT,),
            learned_null_text=False,
            use_bbox=True,
        ),
        shape_tokenizer=perceiver.published_v05(),
        text_encoder=CLIP,
    )


def cube3d_v0_1() -> Preset:
    """The first published Cube3D: 512 tokens, no bounding box."""
    later = cube3d_v0_5()
    return Preset(
        name="cube3d-v0.1",
        transformer=replace(later.transformer, n_shape_tokens=512, use_bbox=False),
        shape_tokenizer=perceiver.published_v01(),
        text_encoder=CLIP,
    )


def mini(*, images: bool = True, views: bool = True) -> Preset:
    """The bundled default: the paper's backbone with small numbers, 216 spatial codes per shape and 64 tokens
    per image. Without images it has shapes alone; view tokens come with continued training."""
    tokenizer, pictures = MINI_SHAPE_TOKENIZER, MINI_IMAGE_TOKENIZER if images else None
    return Preset(
        name="mini",
        transformer=TransformerConfig(
            n_dual=5,
            n_single=3,
            width=256,
            n_heads=4,
            token_dropout=0.1,
            n_shape_codes=tokenizer.n_codes,
            shape_code_dim=tokenizer.code_dim,
            n_shape_tokens=tokenizer.n_tokens,
            n_image_codes=pictures.n_codes if pictures else 0,
            image_code_dim=pictures.code_dim if pictures else 0,
            n_image_tokens=pictures.n_tokens if pictures else 0,
            n_views=len(VIEWS) if pictures and views else 0,
            text=(TextInput(width=384, tokens=32),),
            causal_text=False,
        ),
        shape_tokenizer=tokenizer,
        image_tokenizer=pictures,
        text_encoder="all-MiniLM-L6-v2",
    )


PRESETS: dict[str, Callable[[], Preset]] = {
    "omni123-2b": omni123_2b,
    "cube3d-v0.5": cube3d_v0_5,
    "cube3d-v0.1": cube3d_v0_1,
    "mini": mini,
}


def modules(preset: Preset) -> dict[str, nn.Module]:
    """The preset's modules without their values, on the meta device."""
    config, images = preset.shape_tokenizer, preset.image_tokenizer
    with torch.device("meta"):
        made: dict[str, nn.Module] = {"transformer": DualStreamTransformer(preset.transformer)}
        if isinstance(config, GridShapeTokenizerConfig):
            made["shape_tokenizer"] = GridShapeTokenizer(config)
        else:
            made["shape_tokenizer"] = PerceiverShapeTokenizer(config)
        if images is not None:
            made["image_tokenizer"] = QFormerTokenizer(images)
    return made


# The parts of a transformer.
GENERATION, CONDITIONING, HEADS = "generation blocks", "conditioning blocks", "heads"
EMBEDDINGS, TEXT = "code and view embeddings", "text, box and null embeddings"


def part_of(name: str) -> str:
    """Which part of the transformer a parameter belongs to; one decoded token reads the generation blocks and
    one head, a prompt reads the conditioning blocks once."""
    if "_blocks." in name:
        return CONDITIONING if "pre_c." in name or "post_2." in name else GENERATION
    if "_head." in name:
        return HEADS
    return TEXT if name.split(".")[0].endswith(("text", "text_proj", "bbox_proj")) else EMBEDDINGS


def parameters(preset: Preset) -> dict[str, int]:
    """Stored parameters of each part and of each tokenizer; text encoders are models of their own."""
    counts: dict[str, int] = {}
    for module, whole in modules(preset).items():
        for name, parameter in whole.named_parameters():
            part = part_of(name) if module == "transformer" else module
            counts[part] = counts.get(part, 0) + parameter.numel()
    return counts


def transformer_size(preset: Preset) -> int:
    """Stored parameters of the transformer."""
    return sum(n for part, n in parameters(preset).items() if not part.endswith("_tokenizer"))


def cache_elements(config: TransformerConfig, positions: int, conditioning: int | None = None) -> int:
    """Numbers in the keys and values of one row: conditioning in dual layers only, positions in all."""
    own = config.text_tokens + config.use_bbox if conditioning is None else conditioning
    layers = config.n_dual * (own + positions) + config.n_single * positions
    return 2 * config.width * layers
