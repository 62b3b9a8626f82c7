"""Chains decoded with caches, as rows of one batch, against their slow twin, which feeds everything anew."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from backend.chain import Chain
from backend.decode.rows import KernelRows
from backend.decode.torch_rows import TorchRows
from backend.engine import Engine
from backend.model.config import TextInput, TransformerConfig
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.sampling import SamplingSettings, choose
from backend.sequence import Layout, Segment, segment_ids, visibility

SHARED = Path(os.environ.get("OMNI123_SHARED", Path(__file__).resolve().parents[3] / "shared"))
GOLDEN = SHARED / "golden" / "cube3d-small"
CPU = torch.device("cpu")
CONFIG = TransformerConfig(
    n_dual=3,
    n_single=2,
    width=32,
    n_heads=2,
    n_shape_codes=24,
    shape_code_dim=8,
    n_shape_tokens=7,
    n_image_codes=40,
    image_code_dim=6,
    n_image_tokens=5,
    n_views=6,
    text=(TextInput(width=16, tokens=7), TextInput(width=12, tokens=4)),
    causal_text=False,
    use_bbox=True,
)
SHAPE, IMAGE, FRONT, LEFT = (
    Segment("shape"),
    Segment("image"),
    Segment("image", view="front"),
    Segment("image", view="left"),
)
DECODERS = [KernelRows, TorchRows]


@pytest.fixture(scope="module")
def model() -> DualStreamTransformer:
    torch.manual_seed(0)
    model = DualStreamTransformer(CONFIG).eval().requires_grad_(False)
    for head in (model.lm_head, model.image_head):  # logits that differ, so that a wrong cache shows
        torch.nn.init.normal_(head.weight, std=0.5)
    model.set_codebooks(torch.randn(24, 8), torch.randn(40, 6))
    return model


@pytest.fixture(params=DECODERS, ids=lambda decoder: decoder.__name__)
def engine(request: pytest.FixtureRequest, model: DualStreamTransformer) -> Engine:
    return Engine(model, CPU, decoder=request.param(model))


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one chain starts from."""

    layout: Layout
    settings: SamplingSettings
    words: int | None = 0  # a seed of random text
    box: tuple[float, float, float] | None = None

    @property
    def text(self) -> TextEmbeddings | None:
        if self.words is None:
            return None
        generator = torch.Generator().manual_seed(self.words)
        parts = tuple(torch.randn(1, t.tokens, t.width, generator=generator) for t in CONFIG.text)
        masks = (
            torch.tensor([[True] * 4 + [False] * 3]),
            torch.tensor([[True] * (1 + self.words % 3) + [False] * (3 - self.words % 3)]),
        )
        return TextEmbeddings(parts, masks)

    @property
    def bbox(self) -> Tensor | None:
        return None if self.box is None else torch.tensor(self.box)

    @property
    def sources(self) -> list[Tensor]:
        return [
            torch.arange(3, 3 + CONFIG.lengths[segment.modality]) + number
            for number, segment in enumerate(self.layout.prefix)
        ]

    def start(self, engine: Engine, key: str | None = None) -> Chain:
        return engine.start(
            self.text, self.layout, self.sources, self.settings, bbox=self.bbox, prompt_key=key
        )


def decode(engine: Engine, job: Job, key: str | None = None) -> list[list[int]]:
    chain = job.start(engine, key)
    while not chain.finished:
        engine.advance()
    return [codes.tolist() for codes in chain.codes]


def uncached(model: DualStreamTransformer, job: Job) -> list[list[int]]:
    """The slow twin."""
    settings, vocabulary = job.settings, model.vocabulary
    prefix = torch.tensor([], dtype=torch.long)
    for segment, codes in zip(job.layout.prefix, job.sources, strict=True):
        prefix = torch.cat((prefix, segment_ids(segment, codes, vocabulary)))
    # What each row holds: words, sources.
    if job.words is None:
        rows, scales = [(False, True), (False, False)], [settings.source_guidance]
    elif len(prefix):
        rows = [(True, True), (False, True), (False, False)]
        scales = [settings.guidance, settings.source_guidance]
    else:
        rows, scales = [(True, True), (False, False)], [settings.guidance]
    generator, done = np.random.default_rng(settings.seed), []
    fed = prefix[:0]
    for segment in job.layout.targets:
        count, drawn = CONFIG.lengths[segment.modality], []
        for index in range(count):
            given = torch.cat((fed, segment_ids(segment, torch.tensor(drawn, dtype=torch.long), vocabulary)))
            logits = [row_logits(model, job, segment, given, prefix, *row) for row in rows]
            share = settings.schedule(index, count)
            drawn.append(choose(logits, [share * scale for scale in scales], settings, generator))
        fed = torch.cat((fed, segment_ids(segment, torch.tensor(drawn), vocabulary)))
        done.append(drawn)
    return done


@torch.no_grad()
def row_logits(
    model: DualStreamTransformer,
    job: Job,
    segment: Segment,
    given: Tensor,
    prefix: Tensor,
    words: bool,
    sources: bool,
) -> np.ndarray:
    """Logits (V,) of the next code from one row's whole sequence."""
    known = prefix if sources else prefix[:0]
    ids = torch.cat((known, given))[None]
    text = (job if words else replace(job, words=0)).text
    assert text is not None
    hidden = model.hidden(
        ids,
        text,
        bbox=None if job.bbox is None else job.bbox[None],
        drop=torch.tensor([not words]),
        visible=visibility(len(known), ids.shape[1]),
    )
    codes = model.vocabulary.n_codes(segment.modality)
    return model.logits(hidden[0, -1], segment.modality)[:codes].numpy()


TEXT_TO_SHAPE = Layout(targets=(SHAPE,))
SHAPE_TO_VIEWS = Layout(prefix=(SHAPE,), targets=(FRONT, LEFT))
VIEWS_SHAPE_VIEW = Layout(targets=(FRONT, SHAPE, LEFT))
IMAGES_TO_SHAPE = Layout(prefix=(IMAGE, LEFT), targets=(SHAPE,))
SAMPLED = SamplingSettings(guidance=2.0, source_guidance=1.5, temperature=1.0, top_p=0.9, top_k=12, seed=5)

JOBS = {
    "unguided": Job(layout=TEXT_TO_SHAPE, settings=SamplingSettings(guidance=0.0)),
    "guided": Job(layout=TEXT_TO_SHAPE, settings=SamplingSettings(guidance=3.0), box=(1.0, 0.5, 0.2)),
    "falling guidance over segments": Job(
        layout=VIEWS_SHAPE_VIEW, settings=SamplingSettings(guidance=3.0, guidance_schedule="linear"), words=1
    ),
    "words and sources": Job(layout=SHAPE_TO_VIEWS, settings=SAMPLED, words=2),
    "words over sources": Job(layout=IMAGES_TO_SHAPE, settings=SamplingSettings(guidance=2.0)),
    "sources alone": Job(layout=SHAPE_TO_VIEWS, settings=SAMPLED, words=None),
    "sources only guided": Job(
        layout=IMAGES_TO_SHAPE, settings=SamplingSettings(guidance=0.0, source_guidance=4.0)
    ),
}


@pytest.mark.parametrize("name", JOBS)
def test_cached_equals_uncached_token_by_token(
    model: DualStreamTransformer, engine: Engine, name: str
) -> None:
    assert decode(engine, JOBS[name]) == uncached(model, JOBS[name])


def test_rows_that_join_and_leave_change_no_chain(model: DualStreamTransformer, engine: Engine) -> None:
    alone = {name: decode(engine, job) for name, job in JOBS.items()}
    cancelled, chains = JOBS["words and sources"].start(engine), {}
    for name, job in JOBS.items():
        chains[name] = job.start(engine)
        for _ in range(3):
            engine.advance()
        if len(chains) == 2:
            engine.stop(cancelled)
    while engine.chains:
        engine.advance()
    assert {name: [codes.tolist() for codes in chain.codes] for name, chain in chains.items()} == alone
    assert not cancelled.finished


def test_only_rows_that_guidance_needs_are_run(engine: Engine) -> None:
    counts = {}
    for name, job in JOBS.items():
        chain = job.start(engine)
        counts[name] = len(chain.rows)
        engine.stop(chain)
    assert list(counts.values()) == [1, 2, 2, 3, 2, 2, 3]


def test_a_chain_tells_where_it_is(engine: Engine) -> None:
    chain, seen = JOBS["falling guidance over segments"].start(engine), []
    while not chain.finished:
        engine.advance()
        seen.append((chain.segment, chain.index))
    # Between two segments, the last code is fed as context and no code comes.
    assert seen == [
        *((0, i + 1) for i in range(5)),
        *((1, i) for i in range(8)),
        *((2, i) for i in range(6)),
    ]
    engine.stop(chain)


def test_a_second_seed_of_a_prompt_reads_neither_words_nor_sources(
    engine: Engine, model: DualStreamTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for name in ("prompt_keys_values", "prefill"):
        method = getattr(model, name)
        monkeypatch.setattr(
            model, name, lambda *args, name=name, method=method: calls.append(name) or method(*args)
        )
    first = decode(engine, JOBS["words and sources"], "a chair")
    assert calls == ["prompt_keys_values", "prefill", "prefill"]
    again = decode(engine, JOBS["words and sources"], "a chair")
    assert (first, len(calls)) == (again, 3)
    decode(engine, JOBS["guided"], "a chair")  # another box is another conditioning
    assert calls[3:] == ["prompt_keys_values"]


def test_same_seed_same_codes_and_another_seed_others(engine: Engine) -> None:
    job = replace(JOBS["words and sources"], settings=replace(SAMPLED, temperature=3.0, top_p=1.0, top_k=0))
    first, again = decode(engine, job), decode(engine, job)
    other = decode(engine, replace(job, settings=replace(job.settings, seed=6)))
    assert first == again != other


def test_a_wrong_number_of_sources_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="1 sources, not 0"):
        engine.start(None, SHAPE_TO_VIEWS, [], SamplingSettings())


def test_model_without_null_text_asks_for_the_empty_prompt() -> None:
    model = DualStreamTransformer(replace(CONFIG, learned_null_text=False))
    with pytest.raises(ValueError, match="empty prompt"):
        Engine(model, CPU)


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden vectors are not on this machine")
@pytest.mark.parametrize("decoder", DECODERS)
def test_greedy_ids_of_a_batch_are_the_published_ones(decoder: type[KernelRows | TorchRows]) -> None:
    config = TransformerConfig(
        n_dual=3,
        n_single=2,
        width=64,
        n_heads=2,
        rope_theta=10000.0,
        n_shape_codes=256,
        shape_code_dim=8,
        n_shape_tokens=24,
        text=(TextInput(width=48, tokens=11),),
        learned_null_text=False,
        use_bbox=True,
    )
    model = DualStreamTransformer(config).eval().requires_grad_(False)
    model.load_state_dict(load_file(GOLDEN / "shape_gpt.safetensors"), strict=True)
    with np.load(GOLDEN / "expected.npz") as arrays:
        expected = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    model.set_codebooks(expected["codebook"], None)
    null, *texts = (
        TextEmbeddings((text[None],), (torch.ones(1, len(text), dtype=torch.bool),))
        for text in (expected["null_text_embeddings"][0], *expected["text_embeddings"])
    )
    engine = Engine(model, CPU, null_text=null, decoder=decoder(model))
    settings = SamplingSettings(guidance=3.0, guidance_schedule="linear")
    chains = [
        engine.start(text, TEXT_TO_SHAPE, [], settings, bbox=box)
        for text, box in zip(texts, expected["bbox"], strict=True)
    ]
    for _ in range(24):
        engine.advance()
    assert [chain.codes[0].tolist() for chain in chains] == expected["greedy_ids"].tolist()
