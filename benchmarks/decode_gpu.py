"""Decoding omni123-2b with random weights on a GPU against its bound: python benchmarks/decode_gpu.py.

1 to 32 rows in bf16 and int8, with and without CUDA graphs. The bound is what a step must read over the copy
bandwidth of the same run; the last line is JSON. Needs torch alone.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from bound import bytes_per_step, median_ms

from backend import presets
from backend.decode.torch_rows import TorchRows
from backend.model.quantized import block_linears, quantize_linears
from backend.model.transformer import DualStreamTransformer


def gpu_step_ms(rows: TorchRows, model: DualStreamTransformer, count: int, position: int) -> float:
    """One step of so many rows, each with a full prompt and `position` fed tokens behind it."""
    config = model.config
    with torch.inference_mode():
        conditioning = model.prompt_keys_values(None, drop=True)
    empty = torch.zeros(config.n_heads, position, config.head_dim, dtype=torch.bfloat16, device="cuda")
    prefix = [(empty, empty)] * (config.n_dual + config.n_single)
    rows.reserve(count, config.text_tokens, config.n_shape_tokens)
    for row in range(count):
        rows.join(row, conditioning, prefix)
    fed, heads = list(range(count)), ["shape"] * count
    for _ in range(5):
        rows.step(fed, fed, heads)
    # step() hands logits to the CPU, so each one is finished when it returns.
    spent = median_ms(lambda: rows.step(fed, fed, heads), 50)
    for row in fed:
        rows.leave(row)
    return spent


def gpu_copy_bandwidth() -> float:
    """GB/s, reads and writes together."""
    source, target = torch.zeros(2, 1 << 30, dtype=torch.uint8, device="cuda")

    def copy() -> None:
        target.copy_(source)
        torch.cuda.synchronize()

    copy()
    return 2 * source.nbytes / 1e6 / median_ms(copy, 10)


def on_gpu() -> dict[str, Any]:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = DualStreamTransformer(presets.omni123_2b().transformer).eval().requires_grad_(False)
        model.set_codebooks(None, torch.randn(65_536, 64))
    torch.set_default_dtype(torch.float32)
    bandwidth = gpu_copy_bandwidth()
    result: dict[str, Any] = {"machine": torch.cuda.get_device_name(), "copy_GBps": round(bandwidth)}
    length = model.config.n_shape_tokens // 2
    for weights in ("bf16", "int8"):
        if weights == "int8":
            quantize_linears(model, block_linears(model))
        ways = {"eager": (False, False), "graphs": (True, False), "graphs, compiled": (True, True)}
        for way, (graphs, compiled) in ways.items():
            rows = TorchRows(model, graphs=graphs, compiled=compiled)
            # Compiling takes minutes for each number of rows.
            for count in (2,) if compiled else (1, 2, 8, 32):
                spent = gpu_step_ms(rows, model, count, length)
                needed = bytes_per_step(model, [model.config.text_tokens] * count, length)
                result[f"{weights}, {way}, {count} rows"] = {
                    "ms_per_step": round(spent, 3),
                    "share_of_bandwidth_bound": round(needed / bandwidth / 1e6 / spent, 3),
                }
            del rows
    return result


if __name__ == "__main__":
    print(json.dumps(on_gpu()))
