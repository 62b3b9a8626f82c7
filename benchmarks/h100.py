"""COMPUTED, not measured: what one H100 or H200 could reach at best: python benchmarks/h100.py [PRESET].

From bytes and FLOPs alone: a step takes the longer of reading what it must at the memory's full bandwidth and
multiplying at the full dense rate. Real kernels reach neither; launches, sampling, text encoders and
tokenizers come on top. The last line is JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from backend.model.config import TransformerConfig
from backend.presets import (
    CONDITIONING,
    GENERATION,
    PRESETS,
    Preset,
    cache_elements,
    parameters,
    transformer_size,
)
from backend.sequence import VIEWS, Layout, Modality
from backend.tasks import TASKS

ROWS = (1, 2, 8, 32)
CACHE_BYTES = 2  # bf16 keys and values, whatever the weights


@dataclass(frozen=True, kw_only=True)
class Device:
    """Figures of the maker's data sheet."""

    name: str
    memory: str
    bandwidth: float  # bytes/s
    flops: float  # dense bf16, 1/s
    capacity: float  # bytes


DEVICES = (
    Device(name="H100 SXM", memory="HBM3", bandwidth=3.35e12, flops=989e12, capacity=80e9),
    Device(name="H200 SXM", memory="HBM3e", bandwidth=4.8e12, flops=989e12, capacity=141e9),
)
# int8 weights are widened to bf16 as they are read: they save bytes, not multiplications.
WEIGHT_BYTES = {"bf16": 2, "int8": 1}


def head(config: TransformerConfig, modality: Modality) -> int:
    """Parameters of an output head."""
    return config.vocabulary.rows(modality) * config.width


def step_seconds(
    device: Device, preset: Preset, weight_bytes: int, rows: int, position: float, modality: Modality
) -> float:
    """One token of each of `rows` at a mean position of the chain."""
    config = preset.transformer
    read = parameters(preset)[GENERATION] + head(config, modality)
    seen = cache_elements(config, 0) + position * cache_elements(config, 1, 0)  # per row
    bytes_read = weight_bytes * read + CACHE_BYTES * rows * seen
    # A weight is one multiplication and addition per row, and so is a number in the row's cache.
    return max(bytes_read / device.bandwidth, 2 * rows * (read + seen) / device.flops)


def prefill_seconds(device: Device, preset: Preset, weight_bytes: int, positions: int) -> float:
    """A prompt's conditioning and a prefix of `positions`, once."""
    config, counts = preset.transformer, parameters(preset)
    words = config.text_tokens + config.use_bbox
    weights = counts[CONDITIONING] + (counts[GENERATION] if positions else 0)
    products = words * counts[CONDITIONING] + positions * counts[GENERATION]
    attention = words * cache_elements(config, 0) + positions * cache_elements(config, positions)
    return max(weight_bytes * weights / device.bandwidth, 2 * (products + attention) / device.flops)


def chain_seconds(device: Device, preset: Preset, weight_bytes: int, rows: int, layout: Layout) -> float:
    """All tokens of a chain's targets, for `rows` rows in step."""
    lengths = preset.transformer.lengths
    position, seconds = sum(1 + lengths[s.modality] for s in layout.prefix), 0.0
    for segment in layout.targets:
        own = lengths[segment.modality]
        middle = position + own / 2
        seconds += own * step_seconds(device, preset, weight_bytes, rows, middle, segment.modality)
        position += own + 1
    return seconds


def chains(config: TransformerConfig) -> dict[str, Layout]:
    """A shape alone, and the longest sequence that the model has."""
    table = {"text_to_shape": TASKS["text_to_shape"].layout()}
    if config.n_views:
        table["longest"] = TASKS["text_to_views_shape_views"].layout(VIEWS[:3], VIEWS[3:])
    return table


def decoding(device: Device, preset: Preset) -> dict[str, Any]:
    """Milliseconds per token and tokens per second of each chain, weight type and number of rows."""
    table: dict[str, Any] = {}
    for chain, layout in chains(preset.transformer).items():
        tokens = sum(preset.transformer.lengths[s.modality] for s in layout.targets)
        for kind, size in WEIGHT_BYTES.items():
            for rows in ROWS:
                seconds = chain_seconds(device, preset, size, rows, layout)
                table.setdefault(chain, {}).setdefault(kind, {})[f"{rows} rows"] = {
                    "ms_per_token": round(1000 * seconds / tokens, 3),
                    "tokens_per_s": round(rows * tokens / seconds),
                    "chain_s": round(seconds, 2),
                }
    return table


def prefill(device: Device, preset: Preset) -> dict[str, dict[str, float]]:
    """Milliseconds of a prompt alone, and of a prompt and a source of one shape."""
    sizes = {"prompt": 0, "prompt and shape": 1 + preset.transformer.lengths["shape"]}
    return {
        kind: {
            name: round(1000 * prefill_seconds(device, preset, size, positions), 2)
            for name, positions in sizes.items()
        }
        for kind, size in WEIGHT_BYTES.items()
    }


def rows_that_fit(device: Device, preset: Preset, weight_bytes: int) -> int:
    """Rows of the longest chain beside the transformer and the tokenizers, which stay in fp32."""
    config, counts = preset.transformer, parameters(preset)
    *_, layout = chains(config).values()
    size = transformer_size(preset)
    free = device.capacity - weight_bytes * size - 4 * (sum(counts.values()) - size)
    row = CACHE_BYTES * cache_elements(config, layout.n_positions(config.lengths))
    return int(free // row)


def report(preset: Preset) -> list[dict[str, Any]]:
    return [
        {
            **asdict(device),
            "decoding": decoding(device, preset),
            "prefill_ms": prefill(device, preset),
            "rows_of_the_longest_chain_that_fit": {
                kind: rows_that_fit(device, preset, size) for kind, size in WEIGHT_BYTES.items()
            },
        }
        for device in DEVICES
    ]


def show(preset: Preset, found: list[dict[str, Any]]) -> None:
    print(f"{preset.name}: COMPUTED bounds, ms per token (tokens/s); a guided chain is two rows")
    for device in found:
        print(f"{device['name']}, {device['memory']} {device['bandwidth'] / 1e12} TB/s")
        for chain, kinds in device["decoding"].items():
            for kind, rows in kinds.items():
                cells = "  ".join(f"{n}: {c['ms_per_token']} ({c['tokens_per_s']})" for n, c in rows.items())
                print(f"  {chain:14} {kind}  {cells}")
        print(f"  prefill ms {device['prefill_ms']}")


def main() -> None:
    preset = PRESETS[sys.argv[1] if len(sys.argv) > 1 else "omni123-2b"]()
    found = report(preset)
    show(preset, found)
    print(json.dumps({"computed": True, "model": preset.name, "devices": found}))


if __name__ == "__main__":
    main()
