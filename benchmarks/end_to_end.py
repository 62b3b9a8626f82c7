"""Where a prompt's seconds go, and what fast paths save: python benchmarks/end_to_end.py [WEIGHTS].

Ratios are against the baseline named beside them in the same run; the last line is JSON.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from backend.events import Request, Result
from backend.geometry.surface import dense_volume, sparse_volume
from backend.model.text import TextEmbeddings
from backend.pipeline import CELLS, CHUNK, Pipeline
from backend.sampling import SamplingSettings
from backend.server.cli import BUNDLED

PROMPTS = ("a round wooden table", "a red car", "a tall bookshelf with five shelves")


def end_to_end(pipeline: Pipeline) -> dict[str, float]:
    """Median seconds of each stage over the prompts."""
    runs = []
    for prompt in PROMPTS:
        *_, last = pipeline.run(Request(prompt=prompt), lambda: False)
        assert isinstance(last, Result)
        runs.append(last.seconds)
    return {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}


def cached_ms(pipeline: Pipeline, text: Tensor, mask: Tensor) -> float:
    """Milliseconds per token of the engine, under guidance."""
    started = time.perf_counter()
    *_, (last, _) = pipeline.engine.shape_tokens(text, mask, SamplingSettings(guidance=2.0))
    return 1000 * (time.perf_counter() - started) / (last + 1)


@torch.inference_mode()
def uncached_ms(pipeline: Pipeline, text: Tensor, mask: Tensor, *, at: int) -> float:
    """Milliseconds of one token that feeds the whole sequence of `at` ids again, under guidance."""
    model = pipeline.transformer
    ids = torch.zeros(2, at, dtype=torch.long)
    pair = TextEmbeddings((text.expand(2, -1, -1),), (mask.expand(2, -1),))
    times = []
    for _ in range(5):
        started = time.perf_counter()
        model(ids, pair, drop=torch.tensor([False, True]))
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def read_bandwidth() -> float:
    """GB/s of reading a buffer larger than the caches."""
    buffer = torch.ones(64 << 20)
    buffer.sum()
    started = time.perf_counter()
    for _ in range(5):
        buffer.sum()
    return 5 * buffer.numel() * 4 / (time.perf_counter() - started) / 1e9


def bytes_per_token(pipeline: Pipeline) -> int:
    """Weights read for one token: the generation half of the dual layers, the single layers and the head."""
    model = pipeline.transformer
    generation = [
        parameter
        for name, parameter in model.named_parameters()
        if name.startswith("transformer.")
        and "pre_c" not in name
        and "post_2" not in name
        and "wte" not in name
    ]
    return sum(p.numel() * p.element_size() for p in [*generation, model.lm_head.weight])


@torch.inference_mode()
def surface(pipeline: Pipeline) -> tuple[float, float, float]:
    """Seconds of sparse and of dense field evaluation, and the share of the grid the sparse one asks for."""
    *_, last = pipeline.run(Request(prompt=PROMPTS[0]), lambda: False)
    assert isinstance(last, Result)
    latents = pipeline.tokenizer.decode(torch.from_numpy(last.tokens.astype("int64"))[None])

    def field(queries: Tensor) -> Tensor:
        return pipeline.tokenizer.field(latents, queries[None])[0]

    started = time.perf_counter()
    _, stats = sparse_volume(field, cells=CELLS, chunk=CHUNK)
    between = time.perf_counter()
    dense_volume(field, cells=CELLS, chunk=CHUNK)
    return between - started, time.perf_counter() - between, stats.share


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLED
    started = time.perf_counter()
    pipeline = Pipeline.load(folder)
    loaded = time.perf_counter() - started
    embeddings = pipeline.text.encode([PROMPTS[0]])
    text, mask = embeddings.parts[0], embeddings.masks[0]
    stages = end_to_end(pipeline)
    cached = cached_ms(pipeline, text[0], mask[0])
    total = pipeline.tokenizer.config.n_tokens
    uncached = uncached_ms(pipeline, text, mask, at=total // 2)
    bandwidth, needed = read_bandwidth(), bytes_per_token(pipeline)
    sparse, dense, share = surface(pipeline)
    result = {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "model": pipeline.model_name,
        "load_s": round(loaded, 2),
        "stages_s": {stage: round(seconds, 3) for stage, seconds in stages.items()},
        "decode_ms_per_token": round(cached, 2),
        "decode_over_uncached_at_half_length": round(uncached / cached, 1),
        "read_GBps": round(bandwidth, 1),
        "decode_share_of_bandwidth_bound": round(needed / bandwidth / 1e6 / cached, 2),
        "surface_sparse_over_dense_time": round(dense / sparse, 1),
        "surface_share_of_grid": round(share, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
