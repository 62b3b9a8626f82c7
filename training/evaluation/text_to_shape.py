"""Text to shape, judged: how well shapes fit their words, beside baselines, a ceiling and a floor.

A row of the table is a way to come by shapes; a judge embeds words and shapes in one space.
Omni123 section 6: 8,192 uniform surface points, 100 prompts in four groups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from training.evaluation import novelty
from training.evaluation.cases import Case
from training.evaluation.making import Made
from training.evaluation.novelty import Points, ShapeSet
from training.evaluation.scorers.interface import POINTS, Cloud, Scorer, cloud
from training.evaluation.scorers.retrieval import SentenceEncoder
from training.evaluation.tables import Row, Table, Value

NEIGHBOUR = "nearest training caption"
REAL, WRONG = "real shapes (ceiling)", "wrong pairs (floor)"
BETWEEN, COPIES = "training shapes to the nearest other", "training shapes through the tokenizer"
Likeness = NDArray[np.float32]
COMPARED = 100  # training shapes, drawn by a seed, whose distance to the nearest other is measured
_TOPS = (1, 5)

NOTES = (
    f"score: mean cosine of words and shape, of {POINTS} uniform surface points, 0 without a shape. By the "
    "encoders of ULIP-2 and Uni3D it is what the paper calls ULIP-T and Uni3D-T",
    "top 1 and top 5: share of shapes whose own words are the nearest, or among the five nearest, of all "
    "words of the table; a missing shape counts as wrong",
    "error: standard error of top 1, of drawing other words",
    f"{NEIGHBOUR}: the training shape whose caption is nearest to the words by sentence embedding",
    f"{WRONG}: every shape of the first row with every other shape's words",
)
REAL_NOTE = f"{REAL}: the shapes that the words were said of, which nothing here was trained on"
NOVELTY_NOTES = (
    f"distance to the nearest training shape: {novelty.DEFINITION}",
    f"{COPIES}: what a memorised shape would score",
)


@dataclass(frozen=True, kw_only=True)
class System:
    """A way to come by a shape of each case's words."""

    name: str
    clouds: Sequence[Cloud | None]  # None where no shape came of it


def of_made(name: str, made: Sequence[Made]) -> System:
    """What a model made; a mesh without area counts as none."""
    return System(name=name, clouds=[_cloud(one) for one in made])


def _cloud(made: Made) -> Cloud | None:
    if made.mesh is None:
        return None
    try:
        return cloud(made.mesh)
    except ValueError:  # no face has area
        return None


class Neighbours:
    """The baseline that looks its shape up: a training shape of the nearest caption."""

    def __init__(self, known: ShapeSet, sentences: SentenceEncoder, kept: Path) -> None:
        """kept: folder that remembers the captions' embeddings, which take a minute for ten thousand."""
        self.known, self.sentences = known, sentences
        words = hashlib.sha256("\n".join(known.captions).encode()).hexdigest()[:24]
        path = kept / f"captions_{words}.safetensors"
        if not path.is_file():
            kept.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            save_file({"sentences": sentences.encode(known.captions)}, unfinished)
            unfinished.replace(path)
        self._captions = load_file(path)["sentences"]

    def system(self, cases: Sequence[Case]) -> System:
        likeness = self.sentences.encode([case.text for case in cases]) @ self._captions.T
        rows = likeness.argmax(dim=1).tolist()
        return System(name=NEIGHBOUR, clouds=[Cloud(points=self.known.cloud(row)) for row in rows])


def real(cases: Sequence[Case]) -> System | None:
    """The ceiling, where all cases have a real shape."""
    clouds = [case.real for case in cases]
    return None if any(one is None for one in clouds) else System(name=REAL, clouds=clouds)


def judged(scorer: Scorer, cases: Sequence[Case], systems: Sequence[System], title: str) -> list[Table]:
    """Figures of each system, and of the first one's wrong pairs, by one judge; then by group of words."""
    texts = scorer.texts([case.text for case in cases])
    rows: dict[str, Row] = {}
    of_groups: dict[str, Row] = {}
    for system in systems:
        there = np.array([row for row, one in enumerate(system.clouds) if one is not None], np.int64)
        shapes = scorer.shapes([one for one in system.clouds if one is not None])
        likeness: Likeness = (shapes @ texts.T).numpy()
        scores, ranks = _scores_and_ranks(likeness, there, len(cases))
        rows[system.name] = _row(scores, ranks) | {"no shape": len(cases) - len(there)}
        of_groups[system.name] = _by_group(scores, ranks, cases)
        if system is systems[0] and len(there):
            rows[WRONG] = _wrong(likeness, there)
    notes = NOTES + ((REAL_NOTE,) if REAL in rows else ())
    title = f"{title}, judged by {scorer.name}"
    return [
        Table(title=title, rows=rows, notes=notes),
        Table(title=f"{title}: by group of words", rows=of_groups),
    ]


def _scores_and_ranks(
    likeness: Likeness, there: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of every case; likeness: (shapes, words), there: the case of each shape."""
    own = likeness[np.arange(len(there)), there]
    scores, ranks = np.zeros(count), np.full(count, np.iinfo(np.int64).max)  # never among the nearest
    scores[there] = own
    ranks[there] = (likeness > own[:, None]).sum(axis=1)
    return scores, ranks


def _row(scores: NDArray[np.float64], ranks: NDArray[np.int64]) -> dict[str, Value]:
    tops = {f"top {top}": float((ranks < top).mean()) for top in _TOPS}
    first = tops["top 1"]
    error = float(np.sqrt(first * (1 - first) / len(ranks)))
    return {"score": float(scores.mean()), **tops, "error": error}


def _by_group(scores: NDArray[np.float64], ranks: NDArray[np.int64], cases: Sequence[Case]) -> Row:
    figures: dict[str, Value] = {}
    for name in dict.fromkeys(case.group for case in cases):
        rows = np.array([case.group == name for case in cases])
        figures[f"{name}: score"] = float(scores[rows].mean())
        figures[f"{name}: top 1"] = float((ranks[rows] < 1).mean())
    return figures


def _wrong(likeness: Likeness, there: NDArray[np.int64]) -> Row:
    """The mean over all pairs of a shape and words that are not its own."""
    wrong = np.ones(likeness.shape, bool)
    wrong[np.arange(len(there)), there] = False
    ranks = (likeness[:, None, :] > likeness[:, :, None]).sum(axis=2)  # of every words, (shapes, words)
    tops = {f"top {top}": float((ranks[wrong] < top).mean()) for top in _TOPS}
    return {"score": float(likeness[wrong].mean()), **tops}


def known_distances(known: ShapeSet, copied: Sequence[Points]) -> dict[str, Row]:
    """What distances to the nearest training shape mean: those between training shapes, and those of copies.

    copied: surface points of training shapes through the model's tokenizer.
    """
    rows: dict[str, Row] = {BETWEEN: novelty.summary(novelty.between(known, COMPARED))}
    if copied:
        rows[COPIES] = novelty.summary([known.nearest(points)[1] for points in copied])
    return rows


def novel(systems: Sequence[System], known: ShapeSet, meaning: Mapping[str, Row], title: str) -> Table:
    """Distances of every system to the nearest training shape, above rows that say what they mean."""
    rows: dict[str, Row] = {}
    for system in systems:
        found = [known.nearest(one.points)[1] for one in system.clouds if one is not None]
        if found and system.name != NEIGHBOUR:  # that one is a training shape
            rows[system.name] = novelty.summary(found)
    return Table(title=title, rows=rows | dict(meaning), notes=NOVELTY_NOTES)
