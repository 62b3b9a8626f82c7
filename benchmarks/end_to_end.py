"""Where a prompt's seconds go, and what fast paths save together: python benchmarks/end_to_end.py [WEIGHTS].

The baseline runs the same prompts in the same run with the slow twins: eager rows and a dense surface, no
previews on either side. Eight prompts at once are against one by one. The last line is JSON.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import torch

from backend.decode.torch_rows import TorchRows
from backend.events import PipelineEvent, Request, Result
from backend.geometry.surface import extract_surface_dense
from backend.jobs import run_alone
from backend.pipeline import Pipeline
from backend.server.cli import BUNDLED

PROMPTS = (
    "a round wooden table",
    "a red car",
    "a tall bookshelf with five shelves",
    "a small house with a chimney",
    "a green tree",
    "a sword",
    "a teapot",
    "a wooden chair with a high back",
)


def results(pipeline: Pipeline, prompts: Sequence[str]) -> list[Result]:
    """Each prompt alone."""
    made = []
    for prompt in prompts:
        *_, last = run_alone(pipeline, Request(prompt=prompt))
        assert isinstance(last, Result)
        made.append(last)
    return made


def medians(made: Sequence[Result]) -> dict[str, float]:
    """Seconds of each stage, and of all together."""
    stages = {stage: statistics.median(one.seconds[stage] for one in made) for stage in made[0].seconds}
    return stages | {"total": statistics.median(sum(one.seconds.values()) for one in made)}


def together(pipeline: Pipeline, prompts: Sequence[str]) -> list[Result]:
    """All prompts at once, as the worker runs them."""
    runs = {n: pipeline.start(Request(prompt=prompt), lambda: False) for n, prompt in enumerate(prompts)}
    last: dict[int, PipelineEvent] = {}
    while runs:
        for number, run in tuple(runs.items()):
            for event in run:
                if event is None:
                    break
                last[number] = event
            else:
                del runs[number]
        pipeline.advance()
    return [event for _, event in sorted(last.items()) if isinstance(event, Result)]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def slow_twins(pipeline: Pipeline) -> dict[str, float]:
    """Stages with eager decoding and the dense surface."""
    parts = pipeline.parts
    fast, model = parts.engine.decoder, pipeline.transformer
    parts.engine.decoder = TorchRows(model)
    try:
        with patch("backend.results.extract_surface", extract_surface_dense):
            return medians(results(pipeline, PROMPTS[:3]))
    finally:
        parts.engine.decoder = fast


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLED
    started = time.perf_counter()
    pipeline = Pipeline.load(folder)
    loaded = time.perf_counter() - started
    cold = seconds(lambda: results(pipeline, PROMPTS[:1]))
    with_previews = medians(results(pipeline, PROMPTS))
    assert pipeline.parts.shapes is not None
    with patch.object(pipeline.parts.shapes, "coarse", lambda *_: None):
        alone = results(pipeline, PROMPTS)
        stages = medians(alone)
        slow = slow_twins(pipeline)
        one_by_one = seconds(lambda: results(pipeline, PROMPTS))
        at_once = seconds(lambda: together(pipeline, PROMPTS))
        identical = all(
            (a.tokens == b.tokens).all() for a, b in zip(alone, together(pipeline, PROMPTS), strict=True)
        )
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(
        json.dumps(
            {
                "machine": machine,
                "model": pipeline.model_name,
                "load_s": round(loaded, 2),
                "first_prompt_s": round(cold, 2),
                "stages_s": {stage: round(value, 3) for stage, value in stages.items()},
                "total_with_previews_s": round(with_previews["total"], 3),
                "slow_twins_s": {stage: round(value, 3) for stage, value in slow.items()},
                "over_slow_twins": round(slow["total"] / stages["total"], 1),
                "eight_prompts_at_once_over_one_by_one": round(one_by_one / at_once, 2),
                "tokens_identical": identical,
            }
        )
    )


if __name__ == "__main__":
    main()
