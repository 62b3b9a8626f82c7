"""Decoding on a CPU against its baselines and the bandwidth bound: python benchmarks/decode.py [WEIGHTS].

The bundled model and a random one: two rows (guidance) in fp32, eight jobs at once, bf16 and int8. Ratios are
to what the same run measured; the last line is JSON.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from bound import bytes_per_step
from decode_baselines import RerotatingRows, read_bandwidth, uncached_ms
from torch import Tensor

from backend.engine import Engine
from backend.model.config import TextInput, TransformerConfig
from backend.model.quantized import block_linears, quantize_linears
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.pipeline import Pipeline
from backend.sampling import SamplingSettings
from backend.sequence import Layout, Segment
from backend.server.cli import BUNDLED

CPU = torch.device("cpu")
SHAPE = Layout(targets=(Segment("shape"),))
PROMPTS = (
    "a round wooden table",
    "a red car",
    "a tall bookshelf with five shelves",
    "a green tree",
    "a small house with a chimney",
    "a sword",
    "a teapot",
    "a wooden chair with a high back",
)
GREEDY = SamplingSettings(guidance=2.0)
MODES = {
    "two rows each, greedy": GREEDY,
    "two rows each, sampled": SamplingSettings(guidance=1.0, temperature=0.5, top_p=0.9),
    "one row each, greedy": SamplingSettings(guidance=0.0),
}


def random_model() -> DualStreamTransformer:
    """6 dual and 2 single-stream layers of width 512, 256 tokens."""
    torch.manual_seed(0)
    config = TransformerConfig(
        n_dual=6,
        n_single=2,
        width=512,
        n_heads=8,
        n_shape_codes=4096,
        shape_code_dim=16,
        n_shape_tokens=256,
        text=(TextInput(width=384, tokens=32),),
        embed_codes="learned",
    )
    return DualStreamTransformer(config).eval().requires_grad_(False)


def decode(
    engine: Engine, texts: Sequence[TextEmbeddings], settings: SamplingSettings, *, seed: int = 0
) -> tuple[float, list[list[int]]]:
    """Milliseconds of one step of a chain for each text together, and their codes; seeds count up."""
    chains = [
        engine.start(text, SHAPE, [], replace(settings, seed=seed + n), prompt_key=f"prompt {seed + n}")
        for n, text in enumerate(texts)
    ]
    started = time.perf_counter()
    while engine.chains:
        engine.advance()
    spent = time.perf_counter() - started
    return 1000 * spent / len(chains[0].codes[0]), [chain.codes[0].tolist() for chain in chains]


def one_job_ms(engine: Engine, text: TextEmbeddings, settings: SamplingSettings, times: int = 5) -> float:
    return statistics.median(decode(engine, [text], settings)[0] for _ in range(times))


def rerotating_ms(engine: Engine, text: TextEmbeddings) -> float:
    """Milliseconds of one token of two rows, over a whole shape."""
    model, length = engine.model, engine.model.config.n_shape_tokens
    with torch.inference_mode():
        plain = RerotatingRows(model, [model.prompt_keys_values(text), engine.unconditional], length)
    started = time.perf_counter()
    for index in range(length):
        plain.step([index, index])
    return 1000 * (time.perf_counter() - started) / length


def eight_jobs(
    engine: Engine, texts: Sequence[TextEmbeddings], settings: SamplingSettings
) -> dict[str, float | bool]:
    """A batch of eight against one job, and against each of the eight alone."""
    decode(engine, texts, settings)
    ones, steps, batches = [], [], []
    for _ in range(3):  # in turns, so that a machine that slows down slows both
        ones.append(decode(engine, texts[:1], settings)[0])
        step, codes = decode(engine, texts, settings)
        steps.append(step)
        batches.append(codes)
    alone = [decode(engine, [text], settings, seed=n)[1][0] for n, text in enumerate(texts)]
    one, step = statistics.median(ones), statistics.median(steps)
    return {
        "step_ms": round(step, 3),
        "throughput_over_one": round(len(texts) * one / step, 2),
        "identical": all(codes == alone for codes in batches),
    }


def cpu_decoding(
    model: DualStreamTransformer, texts: Sequence[TextEmbeddings], read: float
) -> dict[str, Any]:
    """fp32 with guidance, against every baseline."""
    engine, length = Engine(model, CPU), model.config.n_shape_tokens
    decode(engine, texts[:1], GREEDY)  # compiles, and grows the caches
    one = one_job_ms(engine, texts[0], GREEDY)
    rows = [row[0][0].shape[1] for row in (model.prompt_keys_values(texts[0]), engine.unconditional)]
    needed = bytes_per_step(model, rows, (length + 1) / 2)
    return {
        "ms_per_token": round(one, 3),
        "MB_per_token": round(needed / 1e6, 1),
        "share_of_bandwidth_bound": round(needed / read / 1e6 / one, 3),
        "over_uncached_at_half_length": round(uncached_ms(model, texts[0], at=length // 2) / one, 1),
        "over_rerotating": round(rerotating_ms(engine, texts[0]) / one, 2),
        "eight_jobs": {name: eight_jobs(engine, texts, settings) for name, settings in MODES.items()},
    }


def forced_logits(engine: Engine, text: TextEmbeddings, codes: Sequence[int]) -> Tensor:
    """(L, V) of one row that is fed these codes."""
    model = engine.model
    with torch.inference_mode():
        conditioning = model.prompt_keys_values(text)
    engine.decoder.reserve(1, conditioning[0][0].shape[1], len(codes))
    engine.decoder.join(0, conditioning)
    fed = [model.vocabulary.start(SHAPE.targets[0]), *codes[:-1]]
    logits = [engine.decoder.step([0], [code], ["shape"])[0] for code in fed]
    engine.decoder.leave(0)
    return torch.stack([row for row in logits if row is not None])


def stored_as(
    change: Callable[[DualStreamTransformer], object],
    model: DualStreamTransformer,
    texts: Sequence[TextEmbeddings],
) -> dict[str, float]:
    """Speed over fp32, and what other weights lose: teacher-forced on what fp32 writes greedily."""
    other = deepcopy(model)
    change(other)
    full, less = Engine(model, CPU), Engine(other, CPU)
    divergence, agreement = [], []
    for text in texts[:4]:
        codes = decode(full, [text], GREEDY)[1][0]
        ours, theirs = (forced_logits(engine, text, codes) for engine in (full, less))
        p, q = ours.log_softmax(-1), theirs.log_softmax(-1)
        divergence.append((p.exp() * (p - q)).sum(-1).mean().item())
        agreement.append((ours.argmax(-1) == theirs.argmax(-1)).float().mean().item())
    decode(less, texts[:1], GREEDY)
    speed = one_job_ms(full, texts[0], GREEDY) / one_job_ms(less, texts[0], GREEDY)
    return {
        "speed_over_fp32": round(speed, 2),
        "kl_nats_per_token": round(statistics.mean(divergence), 5),
        "greedy_agreement": round(statistics.mean(agreement), 4),
    }


def on_cpu(folder: Path) -> dict[str, Any]:
    pipeline = Pipeline.load(folder)
    texts = [pipeline.text.encode([prompt]) for prompt in PROMPTS]
    mini = pipeline.transformer.requires_grad_(False)
    read, loop = read_bandwidth()
    return {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "read_GBps": round(read, 1),
        "read_loop": loop,
        pipeline.model_name: cpu_decoding(mini, texts, read),
        "6 dual + 2 single, width 512": cpu_decoding(random_model(), texts, read),
        "bf16": stored_as(lambda model: model.to(torch.bfloat16), mini, texts),
        "int8": stored_as(lambda model: quantize_linears(model, block_linears(model)), mini, texts),
    }


def main() -> None:
    print(json.dumps(on_cpu(Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLED)))


if __name__ == "__main__":
    main()
