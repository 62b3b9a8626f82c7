"""Mesh to tokens and tokens to a field, mini and a published Perceiver: python benchmarks/encode.py [full].

Ratios are against the baseline named in their key, in the same run; the last line is JSON. With `full` the
Perceiver is the published one in size (random weights, 1.1 GB), otherwise a reduced one.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from backend import checkpoint
from backend.geometry.mesh import Mesh
from backend.geometry.sampling import sample_surface
from backend.geometry.surface import extract_surface
from backend.models import REGISTRIES
from backend.server.cli import BUNDLED
from backend.shape_tokenizer.convolution import Conv3
from backend.shape_tokenizer.grid import GridShapeTokenizer
from backend.shape_tokenizer.interface import ShapeTokenizer
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer, published_v05

QUERIES = 1 << 14
TOGETHER = 8  # shapes of one batch


def seconds(work: Callable[[], object], times: int) -> float:
    """Median of some runs after one to warm up."""
    taken = []
    for _ in range(times + 1):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def ball() -> Mesh:
    def field(points: Tensor) -> Tensor:
        return 0.8 - points.norm(dim=1)

    return extract_surface(field, cells=128)


@contextmanager
def by_torch() -> Iterator[None]:
    """Convolutions as torch chooses them."""
    ours, Conv3.forward = Conv3.forward, nn.Conv3d.forward  # type: ignore[method-assign]
    yield
    Conv3.forward = ours  # type: ignore[method-assign]


def surface(mesh: Mesh, tokenizer: ShapeTokenizer) -> tuple[Tensor, Tensor]:
    """Points and normals (1, P, 3), as many as the tokenizer was trained on."""
    rng = np.random.default_rng(0)
    points, normals, _ = sample_surface(mesh.vertices, mesh.faces, tokenizer.config.n_points, rng)
    return torch.from_numpy(points)[None], torch.from_numpy(normals)[None]


def stages(tokenizer: ShapeTokenizer, mesh: Mesh, times: int) -> dict[str, float]:
    """Milliseconds of each step for one shape, and of the field at `QUERIES` points."""
    points, normals = surface(mesh, tokenizer)
    ids = tokenizer.encode(points, normals)
    latents, queries = tokenizer.decode(ids), torch.rand(1, QUERIES, 3) * 2 - 1
    works: dict[str, Callable[[], object]] = {
        "sample_ms": lambda: surface(mesh, tokenizer),
        "encode_ms": lambda: tokenizer.encode(points, normals),
        "decode_ms": lambda: tokenizer.decode(ids),
        "field_ms": lambda: tokenizer.field(latents, queries),
    }
    return {name: round(1000 * seconds(work, times), 2) for name, work in works.items()}


def mini(mesh: Mesh) -> dict[str, float]:
    """The bundled tokenizer; its decoding and field against torch's convolutions and layers."""
    tokenizer = checkpoint.load(BUNDLED, REGISTRIES, only=["shape_tokenizer"]).modules["shape_tokenizer"]
    assert isinstance(tokenizer, GridShapeTokenizer)
    found = stages(tokenizer, mesh, 10)
    points, normals = (part.expand(TOGETHER, -1, -1) for part in surface(mesh, tokenizer))
    together = 1000 * seconds(lambda: tokenizer.encode(points, normals), 5) / TOGETHER
    ids = tokenizer.encode(points[:1], normals[:1])
    latents, queries = tokenizer.decode(ids), torch.rand(1, QUERIES, 3) * 2 - 1
    layers = 1000 * seconds(lambda: tokenizer.decoder.field(latents, queries), 10)
    with by_torch():
        encode, plain = (
            1000 * seconds(work, 10)
            for work in (lambda: tokenizer.encode(points[:1], normals[:1]), lambda: tokenizer.decode(ids))
        )
    return found | {
        "encode_alone_over_one_of_eight": round(found["encode_ms"] / together, 2),
        "encode_by_torch_over_ours": round(encode / found["encode_ms"], 2),
        "decode_by_torch_over_ours": round(plain / found["decode_ms"], 2),
        "field_by_layers_over_compiled": round(layers / found["field_ms"], 2),
    }


def perceiver(mesh: Mesh, full: bool) -> dict[str, float]:
    """Published shape with random weights, against attention that is not fused."""
    config = published_v05()
    if not full:
        small = {"n_latents": 256, "n_codes": 4096, "width": 384, "n_heads": 6, "n_decoder_layers": 8}
        config = replace(config, n_encoder_layers=5, cross_attention_levels=(0, 2), **small)
    torch.manual_seed(0)
    tokenizer = PerceiverShapeTokenizer(config).eval()
    times = 1 if full else 5
    found = stages(tokenizer, mesh, times)
    with sdpa_kernel(SDPBackend.MATH):
        unfused = stages(tokenizer, mesh, times)
    ratios = {
        f"{name.removesuffix('_ms')}_unfused_over_fused": round(unfused[name] / found[name], 2)
        for name in ("encode_ms", "decode_ms", "field_ms")
    }
    return found | ratios | {"parameters": sum(p.numel() for p in tokenizer.parameters())}


@torch.inference_mode()
def main() -> None:
    full, mesh = "full" in sys.argv[1:], ball()
    result = {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "faces": len(mesh.faces),
        "field_queries": QUERIES,
        "mini": mini(mesh),
        f"perceiver_{'full' if full else 'reduced'}": perceiver(mesh, full),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
