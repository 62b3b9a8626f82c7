"""What each preset needs: python benchmarks/memory.py [PRESET ...].

Weights in three types and caches of one row are counted on the meta device; what a training step keeps for
its backward pass is measured on one layer of each kind. The last line is JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from torch import Tensor, nn

from backend.model.attention import attend_joint, attend_rows
from backend.model.config import TransformerConfig
from backend.model.layers import DualBlock, SingleBlock
from backend.model.quantized import block_linears, replace_linears
from backend.model.rope import rotary_table
from backend.presets import PRESETS, Preset, cache_elements, modules, parameters, transformer_size
from backend.sequence import VIEWS
from backend.tasks import TASKS

GB = 1e9
OPTIMISER_BYTES = 16  # of one parameter: bf16 weight and gradient, fp32 master copy and two moments of AdamW
CHAINS = {
    "text_to_shape": TASKS["text_to_shape"].layout(),
    "image_to_shape": TASKS["image_to_shape"].layout(),
    "text_to_image_shape": TASKS["text_to_image_shape"].layout(),
    "longest": TASKS["text_to_views_shape_views"].layout(VIEWS[:3], VIEWS[3:]),
}


def weights(preset: Preset) -> dict[str, dict[str, int]]:
    """Bytes of each module in fp32, in bf16, and with int8 blocks and heads where the rest is bf16.

    Decoding also holds the embedding of every global id, made once.

    Tokenizers stay in fp32: the sign of a shape's field is its surface.
    """
    whole = modules(preset)
    sizes = {name: sum(p.numel() for p in module.parameters()) for name, module in whole.items()}
    table = {name: {"fp32": 4 * size, "bf16": 2 * size, "int8": 2 * size} for name, size in sizes.items()}
    for name in sizes.keys() - {"transformer"}:
        table[name] = dict.fromkeys(("fp32", "bf16", "int8"), 4 * sizes[name])
    transformer = whole["transformer"].bfloat16()
    replace_linears(transformer, block_linears(transformer))
    embeddings = preset.transformer.vocabulary.size * preset.transformer.width
    table["embedding_table"] = {"fp32": 4 * embeddings, "bf16": 2 * embeddings, "int8": 2 * embeddings}
    held = [*transformer.parameters(), *transformer.buffers()]
    table["transformer"]["int8"] = sum(tensor.nbytes for tensor in held)
    return table


def caches(config: TransformerConfig) -> dict[str, dict[str, int]]:
    """Positions fed, and bytes of one row's keys and values, at the end of each chain that the model has."""
    table = {}
    for name, layout in CHAINS.items():
        if config.n_image_codes or all(segment.modality == "shape" for segment in layout.segments):
            positions = layout.n_positions(config.lengths)
            row = cache_elements(config, positions)
            table[name] = {"positions": positions, "fp32": 4 * row, "bf16": 2 * row}
    return table


def kept_for_backward(config: TransformerConfig, positions: int = 64) -> dict[str, float]:
    """Bytes in bf16 that a layer of each stream keeps for the backward pass, per position of that stream."""
    with torch.device("meta"):
        dual, single = DualBlock(config, last=False), SingleBlock(config)
    for block in (dual, single):
        block.bfloat16().to_empty(device="cpu")
        for parameter in block.parameters():
            nn.init.zeros_(parameter)
    x = torch.zeros(1, positions, config.width, dtype=torch.bfloat16, requires_grad=True)
    cos, sin = rotary_table(positions, config.head_dim, config.rope_theta, x.device)
    rotary = cos[:, None], sin[:, None]
    among = torch.ones(1, 1, positions, positions, dtype=torch.bool)
    alone, joint = attend_rows(among), attend_joint(torch.cat((among, among), dim=-1))
    with torch.no_grad():
        _, keys_values = dual.condition(x, alone)
    return {
        "conditioning": _kept([dual], lambda: dual.condition(x, alone)) / positions,
        "dual": _kept([dual], lambda: dual.generate(x, rotary, keys_values, joint)) / positions,
        "single": _kept([single], lambda: single(x, rotary, alone)) / positions,
    }


def _kept(blocks: list[nn.Module], run: Any) -> int:
    """Bytes that a call saves for its backward pass, but for weights, and for masks, which layers share."""
    own = {p.data_ptr() for block in blocks for p in block.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if tensor.dtype != torch.bool and storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = run()
    del kept
    return sum(saved.values())


def training(preset: Preset) -> dict[str, float]:
    """GB of one sample's activations in the blocks, without recomputation, and of weights and optimiser."""
    config = preset.transformer
    kept = kept_for_backward(config)
    conditioning = config.text_tokens + config.use_bbox
    table = {}
    for name, sizes in caches(config).items():
        layers = config.n_dual * kept["dual"] + config.n_single * kept["single"]
        table[name] = (sizes["positions"] * layers + conditioning * config.n_dual * kept["conditioning"]) / GB
    return {**table, "weights_and_optimiser": OPTIMISER_BYTES * transformer_size(preset) / GB}


def report(preset: Preset) -> dict[str, Any]:
    def gb(table: dict[str, dict[str, int]]) -> dict[str, dict[str, float]]:
        return {
            row: {key: value if key == "positions" else round(value / GB, 4) for key, value in cells.items()}
            for row, cells in table.items()
        }

    return {
        "parameters": {**parameters(preset), "transformer": transformer_size(preset)},
        "weights_GB": gb(weights(preset)),
        "cache_GB_per_row": gb(caches(preset.transformer)),
        "training_GB_bf16": {name: round(value, 3) for name, value in training(preset).items()},
    }


def main() -> None:
    table = {}
    for name in sys.argv[1:] or PRESETS:
        table[name] = report(PRESETS[name]())
        print(name, json.dumps(table[name], indent=1))
    note = "text encoders are not in the weights; a guided chain is two rows, or three"
    print(json.dumps({"torch": torch.__version__, "note": note, "presets": table}))


if __name__ == "__main__":
    main()
