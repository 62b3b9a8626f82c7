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
from backend.pipeline import CELLS, CHUNK, Pipeline
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
    stages = end_to_end(pipeline)
    sparse, dense, share = surface(pipeline)
    result = {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "model": pipeline.model_name,
        "load_s": round(loaded, 2),
        "stages_s": {stage: round(seconds, 3) for stage, seconds in stages.items()},
        "surface_sparse_over_dense_time": round(dense / sparse, 1),
        "surface_share_of_grid": round(share, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
