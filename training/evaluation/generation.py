"""Prompts through a pipeline, with the seconds they took: what sheets of prompts show."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from backend.events import Coarse, Progress, Request, Result
from backend.failures import RequestError
from backend.geometry import canonical
from backend.geometry.mesh import Mesh
from backend.jobs import RunsJobs, run_alone
from training.evaluation.render import blank, render
from training.evaluation.sheets import Panel


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What one prompt came to."""

    prompt: str
    seed: int
    mesh: Mesh | None  # canonical frame; None where the request failed
    failure: str  # the sentence an artist would read, or empty
    seconds: dict[str, float]  # per stage, and until the first token, the first coarse mesh and the end


def generate(pipeline: RunsJobs, prompt: str, seed: int, *, cells: int | None = None) -> Generated:
    """One request from start to end; its failure is a result too."""
    began = time.perf_counter()
    seconds: dict[str, float] = {}
    mesh, failure = None, ""
    try:
        for event in run_alone(pipeline, Request(prompt=prompt, seed=seed, cells=cells)):
            now = time.perf_counter() - began
            if isinstance(event, Progress) and event.stage == "shape tokens":
                seconds.setdefault("until first token", now)
            elif isinstance(event, Coarse):
                seconds.setdefault("until first coarse mesh", now)
            elif isinstance(event, Result):
                seconds |= event.seconds
                mesh = None if event.mesh is None else _normalised(event.mesh)
    except RequestError as error:
        failure = error.message
    seconds["total"] = time.perf_counter() - began
    return Generated(prompt=prompt, seed=seed, mesh=mesh, failure=failure, seconds=seconds)


def _normalised(mesh: Mesh) -> Mesh:
    vertices = canonical.fit(mesh.vertices).to_canonical(mesh.vertices)
    return Mesh(vertices=vertices.astype(np.float32), faces=mesh.faces)


def panel(made: Generated, size: int = 256) -> Panel:
    """The prompt under the picture, and the failure where there is nothing to see."""
    picture = blank(size) if made.mesh is None else render(made.mesh, size, frame=made.mesh)
    return Panel(caption=f"{made.prompt}\n{made.failure}".strip(), images=(picture,))


def report(rows: Iterable[Generated]) -> dict[str, object]:
    """Seconds of every prompt and their medians, with what they were measured on."""
    rows = list(rows)
    stages = dict.fromkeys(stage for row in rows for stage in row.seconds)
    return {
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "failed": sum(row.mesh is None for row in rows),
        "median_seconds": {
            stage: round(float(np.median([row.seconds[stage] for row in rows if stage in row.seconds])), 3)
            for stage in stages
        },
        "prompts": [
            {
                "prompt": row.prompt,
                "seed": row.seed,
                "triangles": 0 if row.mesh is None else len(row.mesh.faces),
                "failure": row.failure,
                "seconds": {stage: round(value, 3) for stage, value in row.seconds.items()},
            }
            for row in rows
        ],
    }
