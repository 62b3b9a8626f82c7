"""The tasks of the paper as rows: what is given, what is written, and what a sample of each counts."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from backend.sequence import VIEWS, Layout, Modality, Segment, Vocabulary, build
from backend.tasks import TASKS, Stage, tasks_of
from protocol.tasks import TASKS as JOBS

VOCABULARY = Vocabulary(n_shape_codes=9, n_image_codes=7, n_views=6)
FEWEST = {name: (VIEWS[: job.image_views[0]], VIEWS[::-1][: job.views[0]]) for name, job in JOBS.items()}


def written(name: str, image_views: tuple[str, ...] = (), views: tuple[str, ...] = ()) -> str:
    """A task's sequence as the paper's tables write it; sources stand before the bar."""

    def told(segments: tuple[Segment, ...]) -> str:
        names = {"shape": "3D", "image": "img"}
        return " ".join(f"{s.view}:img" if s.view else names[s.modality] for s in segments)

    layout = TASKS[name].layout(image_views, views)
    return f"{told(layout.prefix)} | {told(layout.targets)}".strip()


def test_pre_training_tasks_are_those_of_table_4() -> None:
    assert [task.name for task in tasks_of("pt")] == [
        *("text_to_image", "text_to_shape", "image_to_shape", "shape_to_image")
    ]
    assert written("text_to_image") == "| img"
    assert written("text_to_shape") == "| 3D"
    assert written("image_to_shape") == "img | 3D"
    assert written("shape_to_image") == "3D | img"


def test_continued_training_prepends_the_view_to_source_and_target() -> None:
    assert len(tasks_of("ct")) == 7
    assert written("image_to_view", ("front",), ("left",)) == "front:img | left:img"
    assert written("shape_to_view", (), ("top",)) == "3D | top:img"
    assert written("text_to_view", (), ("back",)) == "| back:img"


def test_chains_are_those_of_table_7() -> None:
    assert len(tasks_of("sft")) == 5
    assert written("text_to_image_shape") == "| img 3D"
    assert written("text_to_shape_view", (), ("front",)) == "| 3D front:img"
    assert written("views_to_shape", ("front", "left")) == "front:img left:img | 3D"
    assert written("shape_to_views", (), ("left", "top")) == "3D | left:img top:img"
    chain = written("text_to_views_shape_views", ("front", "left"), ("top",))
    assert chain == "| front:img left:img 3D top:img"


def test_an_edit_reads_one_shape_and_writes_one() -> None:
    assert [task.name for task in tasks_of("edit")] == ["edit_shape"]
    assert written("edit_shape") == "3D | 3D"


@pytest.mark.parametrize(
    ("name", "image_views", "views", "match"),
    [
        ("text_to_view", (), (), "takes 1 views, not 0"),
        ("text_to_shape", (), ("front",), "takes 0 views, not 1"),
        ("views_to_shape", (), (), "takes 1 to 6 views of images, not 0"),
        ("image_to_view", ("front",), ("inside",), "no view"),
        ("text_to_views_shape_views", VIEWS, ("front",), "each view once"),
    ],
)
def test_wrong_views_are_refused_with_a_sentence(
    name: str, image_views: tuple[str, ...], views: tuple[str, ...], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        TASKS[name].layout(image_views, views)


def test_views_before_and_after_a_shape_are_six_together_at_most() -> None:
    chain = TASKS["text_to_views_shape_views"]
    for before, after in product(range(1, 7), range(6)):
        views = [*VIEWS, *VIEWS][: before + after]
        if before + after <= 6:
            assert len(chain.layout(views[:before], views[before:]).targets) == before + after + 1
        else:
            with pytest.raises(ValueError, match="each view once"):
                chain.layout(views[:before], views[before:])


@pytest.mark.parametrize("name", TASKS)
def test_a_sequence_holds_all_it_was_built_from(name: str) -> None:
    layout = TASKS[name].layout(*FEWEST[name])
    codes = [torch.tensor([1, 2, 3 + place]) for place in range(len(layout.segments))]
    sequence = build(layout, codes, VOCABULARY)
    fed = [*sequence.inputs.tolist(), -1]
    for segment, own in zip(layout.segments, codes, strict=True):
        ids, fed = fed[: 1 + len(own)], fed[1 + len(own) :]
        assert ids[0] == VOCABULARY.start(segment)
        back = [i - VOCABULARY.codes(segment.modality).start for i in ids[1:] if i >= 0]
        assert back == own.tolist()[: len(back)]
    labels = sequence.labels[sequence.labels >= 0].tolist()
    assert labels == torch.cat(codes[len(layout.prefix) :]).tolist()


def test_jobs_are_these_tasks_and_take_the_same() -> None:
    assert TASKS.keys() == JOBS.keys()
    for name, job in JOBS.items():
        layout = TASKS[name].layout(*FEWEST[name])
        assert job.words == TASKS[name].needs_text
        assert job.shape == (Segment("shape") in layout.prefix)
        assert job.images[0] == sum(segment.modality == "image" for segment in layout.prefix)


def longest(name: str) -> Layout:
    """With one image where one will do, and six posed ones where a chain has many."""
    least = {
        "views_to_shape": (VIEWS, ()),
        "shape_to_views": ((), VIEWS),
        "text_to_views_shape_views": (VIEWS[:3], VIEWS[3:]),
    }
    return TASKS[name].layout(*least.get(name, FEWEST[name]))


@pytest.mark.parametrize(
    ("stage", "image_tokens", "samples", "trillions"),
    [
        ("pt", 256, 400_000 * 2048, 0.76),
        ("pt", 1024, 250_000 * 1024, 0.40),
        ("ct", 1024, 120_000 * 1024, 0.20),
        ("sft", 1024, 115_000 * 256, 0.15),
    ],
)
def test_tokens_seen_are_those_of_table_6(
    stage: Stage, image_tokens: int, samples: int, trillions: float
) -> None:
    """Codes alone; pre-training tasks by Table 5's probabilities, later ones uniformly."""
    lengths: dict[Modality, int] = {"image": image_tokens, "shape": 1024}
    names = [task.name for task in tasks_of(stage)]
    shares = dict.fromkeys(names, 1 / len(names))
    if stage == "pt":
        shares = dict(zip(names, (0.30, 0.17, 0.53 / 2, 0.53 / 2), strict=True))
    mean = sum(share * longest(name).n_codes(lengths) for name, share in shares.items())
    assert round(mean * samples / 1e12, 2) == trillions
