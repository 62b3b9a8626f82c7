"""The text_to_shape task on a dozen token sequences: it learns what words mean, resumes, and drops text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from backend.model.config import TextInput, TransformerConfig
from backend.model.text import TextEmbeddings
from training.data.shape_tokens import ShapeTokens
from training.loop import LoopSettings, Machine, train
from training.text_to_shape import TextToShapeRecipe, TextToShapeTask

N_TOKENS, N_CODES, WIDTH = 6, 16, 8
NAMES = ("chair", "table", "lamp")
EXACT = Machine(precision="no")
RECIPE = TextToShapeRecipe(
    config=TransformerConfig(
        n_dual=1,
        n_single=1,
        width=16,
        n_heads=2,
        token_dropout=0.1,
        n_shape_codes=N_CODES,
        shape_code_dim=4,
        n_shape_tokens=N_TOKENS,
        text=(TextInput(width=WIDTH, tokens=4),),
        causal_text=False,
    ),
    loop=LoopSettings(steps=80, batch=8, peak_lr=0.01, warmup=5, log_every=1, save_every=1000, ema=0.9),
)


class WordEncoder:
    """A fixed random vector per word, up to four words; counts what it was asked."""

    name, max_tokens, widths, tokens = "words", 4, (WIDTH,), (4,)

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def count_tokens(self, prompt: str) -> int:
        return len(prompt.split())

    def encode(self, prompts: Sequence[str]) -> TextEmbeddings:
        self.prompts += prompts
        text, mask = torch.zeros(len(prompts), 4, WIDTH), torch.zeros(len(prompts), 4, dtype=torch.bool)
        for row, prompt in enumerate(prompts):
            for place, word in enumerate(prompt.split()):
                seed = sum(byte * 31**k for k, byte in enumerate(word.encode())) % 2**31
                text[row, place] = torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed))
                mask[row, place] = True
        return TextEmbeddings((text,), (mask,))


def sequences(source: str = "furniture") -> ShapeTokens:
    """Every name means one sequence of its own, four times over."""
    rng = np.random.default_rng(0)
    ids = np.repeat(rng.integers(0, N_CODES, (3, N_TOKENS)), 4, axis=0).astype(np.uint16)
    names = [name for name in NAMES for _ in range(4)]
    return ShapeTokens(
        ids=ids,
        names=[f"{name}/{row}" for row, name in enumerate(names)],
        sources=[source] * len(names),
        captions=[(name, f"a {name}") for name in names],
    )


def fresh_task(corpus: ShapeTokens | None = None) -> TextToShapeTask:
    codebook = torch.randn(N_CODES, 4, generator=torch.Generator().manual_seed(0))
    return TextToShapeTask(RECIPE, codebook, WordEncoder(), sequences(), corpus, sequences())


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_it_learns_which_words_mean_which_shape(tmp_path: Path) -> None:
    task = fresh_task()
    train(task, RECIPE.loop, tmp_path, EXACT, quiet=True)
    figures = losses(tmp_path)
    assert figures[0] == pytest.approx(np.log(N_CODES), abs=0.2)
    assert np.mean(figures[-8:]) < 0.5 * figures[0]
    scores = task.evaluate(task.model.eval())
    assert scores["val"] < 0.5
    assert (
        scores["val_no_text"] > 1.5 * scores["val"]
    )  # three shapes look alike to a model that reads nothing


def test_golden_losses(tmp_path: Path) -> None:
    """A change of these numbers is a change of the model or of its training: say why where you renew them."""
    train(fresh_task(sequences("wall")), RECIPE.loop, tmp_path, EXACT, stop_after=4, quiet=True)
    assert losses(tmp_path) == pytest.approx([2.747839, 2.723449, 2.669483, 2.554293], abs=1e-4)


def test_a_resumed_run_is_the_same_run(tmp_path: Path) -> None:
    train(fresh_task(), RECIPE.loop, tmp_path / "straight", EXACT, stop_after=9, quiet=True)
    for stop in (4, 9):
        train(fresh_task(), RECIPE.loop, tmp_path / "resumed", EXACT, stop_after=stop, quiet=True)
    assert losses(tmp_path / "resumed") == losses(tmp_path / "straight")
    straight, resumed = (
        load_file(tmp_path / name / "checkpoint.safetensors") for name in ("straight", "resumed")
    )
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_batches_mix_sets_and_captions_by_their_shares() -> None:
    task = fresh_task(sequences("wall"))
    task.loss(task.model, task.parts(0, 0, 1)[0])
    assert isinstance(task.text, WordEncoder)
    assert len(task.text.prompts) == 8
    for step in range(1, 10):
        task.loss(task.model, task.parts(step, 0, 1)[0])
    assert {prompt.split()[-1] for prompt in task.text.prompts} == set(NAMES)
    assert {len(prompt.split()) for prompt in task.text.prompts} == {1, 2}


def test_a_step_and_rank_always_draw_the_same() -> None:
    task = fresh_task()
    model = task.model.eval()

    def read(step: int, rank: int) -> float:
        return task.loss(model, task.parts(step, rank, 2)[0]).value.item()

    first = read(3, 0)
    assert read(3, 0) == first
    assert read(3, 1) != first
    assert read(4, 0) != first


def test_dropped_text_is_not_read() -> None:
    task = fresh_task()
    ids = torch.from_numpy(sequences().ids[:1].astype(np.int64))
    model = task.model.eval()
    for drop, same in ((True, True), (False, False)):
        two = [
            task._token_losses(model, ids, [name], torch.tensor([drop])).sum().item()
            for name in ("chair", "a lamp")
        ]
        assert (two[0] == two[1]) == same
