"""Tokens per second of a training step, against the measured matrix speed: python benchmarks/train_step.py.

[mini] [slice]: the bundled model, and one layer of each kind of omni123-2b at its full width. Samples are
random codes with random words. With OMP_NUM_THREADS=1 the thread's own time is taken, so that a busy machine
measures the same. The bound is what matrix products of the model's own sizes reach in the same run;
utilisation is the step's FLOPs (forward and backward, no padding) at that speed over its time. The last line
is JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from backend.model.config import TransformerConfig
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.presets import mini, omni123_2b
from backend.sequence import VIEWS, Layout, TokenSequence, batch, build, pack
from backend.tasks import TASKS, tasks_of
from training.flops import parts_of, sample_flops

WORDS = range(6, 20)  # real embeddings of a caption
LAPS = 3
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model and the samples of one step."""

    name: str
    config: TransformerConfig
    layouts: tuple[Layout, ...]


def pretraining(times: int) -> tuple[Layout, ...]:
    """Each of the four tasks so many times."""
    return tuple(task.layout() for task in tasks_of("pt") for _ in range(times))


def chains() -> tuple[Layout, ...]:
    """Table 7, with one view to six: lengths as unlike as they get."""
    return (
        TASKS["text_to_image_shape"].layout(),
        TASKS["text_to_shape_view"].layout(views=VIEWS[:1]),
        TASKS["views_to_shape"].layout(VIEWS[:1]),
        TASKS["views_to_shape"].layout(VIEWS[:4]),
        TASKS["shape_to_views"].layout(views=VIEWS[:2]),
        TASKS["shape_to_views"].layout(views=VIEWS),
        TASKS["text_to_views_shape_views"].layout(VIEWS[:2], VIEWS[2:4]),
        TASKS["text_to_views_shape_views"].layout(VIEWS[:3], VIEWS[3:]),
    )


def cases(names: Sequence[str]) -> list[Case]:
    small = mini().transformer
    large = replace(omni123_2b(image_tokens=256).transformer, n_dual=1, n_single=1, n_image_codes=4096)
    every = {
        "mini": [
            Case(name="mini, pre-training", config=small, layouts=pretraining(4)),
            Case(name="mini, Table 7", config=small, layouts=chains() * 2),
        ],
        "slice": [Case(name="2 layers of omni123-2b", config=large, layouts=pretraining(1))],
    }
    return [case for name in names for case in every[name]]


class Step:
    """One sample of each layout through forward, backward and AdamW."""

    def __init__(self, case: Case) -> None:
        config, torch_rng = case.config, torch.Generator().manual_seed(0)
        torch.manual_seed(0)
        self.case, self.model = case, DualStreamTransformer(config)
        sizes = (config.n_shape_codes, config.shape_code_dim), (config.n_image_codes, config.image_code_dim)
        kinds = config.embed_codes, config.embed_image_codes
        self.model.set_codebooks(
            *(torch.randn(s) if k == "projected" else None for s, k in zip(sizes, kinds, strict=True))
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)
        codes = config.vocabulary.n_codes
        self.sequences: list[TokenSequence] = [
            build(
                layout,
                [
                    torch.randint(codes(s.modality), (config.lengths[s.modality],), generator=torch_rng)
                    for s in layout.segments
                ],
                config.vocabulary,
            )
            for layout in case.layouts
        ]
        rows = len(case.layouts)
        self.known = torch.randint(WORDS.start, WORDS.stop, (rows,), generator=torch_rng)
        self.text = TextEmbeddings(
            tuple(torch.randn(rows, part.tokens, part.width) for part in config.text),
            tuple(torch.arange(part.tokens) < self.known[:, None] for part in config.text),
        )
        self.drop = torch.arange(rows) % 10 == 9
        self.positions = sum(len(sequence.inputs) for sequence in self.sequences)

    @property
    def flops(self) -> float:
        """Forward and backward of all samples with the words they have."""
        config, parts, total = self.case.config, parts_of(self.model), 0.0
        for layout, known in zip(self.case.layouts, self.known.tolist(), strict=True):
            text = tuple(replace(part, tokens=known) for part in config.text)
            total += sample_flops(replace(config, text=text), parts, layout)
        return total

    def padded(self) -> None:
        rows, vocabulary = batch(self.sequences), self.case.config.vocabulary
        due = rows.due(vocabulary)
        logits = self.model(rows.inputs, self.text, drop=self.drop, visible=rows.visible, due=due)
        self._learn({m: (own, rows.labels[due[m]]) for m, own in logits.items()})

    def packed(self) -> None:
        samples = pack(self.sequences)
        logits = self.model(samples, self.text, drop=self.drop)
        self._learn({m: (own, samples.labels(m)) for m, own in logits.items()})

    def _learn(self, heads: dict[Any, tuple[Tensor, Tensor]]) -> None:
        codes = self.case.config.vocabulary.n_codes
        losses = [
            F.cross_entropy(own[:, : codes(m)].float(), labels, reduction="sum")
            for m, (own, labels) in heads.items()
            if len(labels)
        ]
        (torch.stack(losses).sum() / self.positions).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def matrix_speed(rows: int, width: int, dtype: torch.dtype) -> float:
    """FLOP/s of the feed-forward's products, forward and both backward ones."""
    x, up = torch.randn(rows, width).to(dtype), torch.randn(4 * width, width).to(dtype)
    grad = torch.randn(rows, 4 * width).to(dtype)

    def products() -> None:
        F.linear(x, up)
        grad @ up
        grad.T @ x

    return 3 * 2 * rows * width * 4 * width / lap(products, 9)


def lap(run: Callable[[], None], times: int) -> float:
    """Median seconds of a call, after one that does not count."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    run()
    laps = []
    for _ in range(times):
        started = clock()
        run()
        laps.append(clock() - started)
    return statistics.median(laps)


def seconds(step: Callable[[], None], dtype: torch.dtype) -> float:
    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            step()

    return lap(run, LAPS)


def report(case: Case) -> dict[str, Any]:
    step, table = Step(case), {}
    lengths = [len(sequence.inputs) for sequence in step.sequences]
    bounds = {name: matrix_speed(step.positions, case.config.width, kind) for name, kind in TYPES.items()}
    measured = {f"padded {name}": seconds(step.padded, kind) for name, kind in TYPES.items()}
    measured |= {f"packed {name}": seconds(step.packed, kind) for name, kind in TYPES.items()}
    for layer in (*step.model.transformer.dual(), *step.model.transformer.single()):
        layer.compile()
    measured["packed, compiled bf16"] = seconds(step.packed, torch.bfloat16)
    for name, took in measured.items():
        bound = step.flops / bounds[name.split()[-1]]
        table[name] = {
            "seconds": round(took, 4),
            "tokens_per_s": round(step.positions / took),
            "bound_tokens_per_s": round(step.positions / bound),
            "utilisation": round(bound / took, 3),
        }
        print(case.name, name, table[name], flush=True)
    return {
        "positions": step.positions,
        "padding": round(max(lengths) * len(lengths) / step.positions - 1, 3),
        "tflop": round(step.flops / 1e12, 4),
        "matrix_gflops": {name: round(speed / 1e9) for name, speed in bounds.items()},
        "steps": table,
    }


def main() -> None:
    found = {case.name: report(case) for case in cases(sys.argv[1:] or ["mini", "slice"])}
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "cases": found}))


if __name__ == "__main__":
    main()
