"""The one token space of images, shapes and views, and how a task's segments become a sequence (section 4.4).

Decoding, task building and losses all read it from here. B batch, L generation positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Modality = Literal["shape", "image"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
VIEWS = ("front", "back", "left", "right", "top", "bottom")  # section 4.5, Figure 5
SPECIALS = 3  # start, end and padding, after the codes of each modality
NO_LABEL = -100  # in `labels`: what cross-entropy passes over
NO_HEAD = -1  # in `modalities`: nothing is predicted here


@dataclass(frozen=True)
class Segment:
    """A start token and the codes of one picture or shape; a posed picture has the view of its camera."""

    modality: Modality
    view: str | None = None

    def __post_init__(self) -> None:
        if self.view is not None and (self.modality != "image" or self.view not in VIEWS):
            raise ValueError(f"there is no {self.modality} from {self.view!r}; views are {', '.join(VIEWS)}")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Global ids: shape codes and their specials (the published table), then image's, then view tokens."""

    n_shape_codes: int
    n_image_codes: int = 0  # 0: the model has no images
    n_views: int = 0  # 0: the model has no view tokens; else the first of VIEWS

    @property
    def size(self) -> int:
        """Global ids there are."""
        return sum(self.rows(modality) for modality in MODALITIES) + self.n_views

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Those of the model, in the order of `MODALITIES`."""
        return MODALITIES if self.n_image_codes else MODALITIES[:1]

    def n_codes(self, modality: Modality) -> int:
        return self.n_shape_codes if modality == "shape" else self.n_image_codes

    def rows(self, modality: Modality) -> int:
        """Rows of a modality's embedding table and head: its codes, then start, end and padding."""
        codes = self.n_codes(modality)
        return codes + SPECIALS if codes else 0

    def codes(self, modality: Modality) -> range:
        """Global ids of a modality's codes; a local code id is its place in it."""
        first = 0 if modality == "shape" else self.rows("shape")
        return range(first, first + self.n_codes(modality))

    def start(self, segment: Segment) -> int:
        """Global id that opens a segment. Raises ValueError for one that the model does not have."""
        if segment.modality not in self.modalities:
            raise ValueError(f"this model has no {segment.modality} tokens")
        if segment.view is None:
            return self.codes(segment.modality).stop
        view = VIEWS.index(segment.view)
        if view >= self.n_views:
            raise ValueError(f"this model has no token for the view {segment.view!r}")
        return self.rows("shape") + self.rows("image") + view


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which segments a sequence has: sources, a non-causal prefix without loss, then targets, causal."""

    prefix: tuple[Segment, ...] = ()
    targets: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if not self.targets:
            raise ValueError("a sequence needs a target")

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self.prefix + self.targets

    def n_codes(self, lengths: Mapping[Modality, int]) -> int:
        """Codes of a sample, sources included: Table 6's tokens seen, which count neither text nor starts."""
        return sum(lengths[segment.modality] for segment in self.segments)

    def n_positions(self, lengths: Mapping[Modality, int]) -> int:
        """Generation positions that are fed: codes and start tokens, but not the very last code."""
        return self.n_codes(lengths) + len(self.segments) - 1


@dataclass(frozen=True, kw_only=True)
class TokenSequence:
    """One sample as the transformer reads it, positions 0 .. L - 1."""

    inputs: Tensor  # (L,) int64 global ids
    labels: Tensor  # (L,) int64 local code ids of what follows, or NO_LABEL
    modalities: Tensor  # (L,) int64 index into MODALITIES of the head that is due, or NO_HEAD
    prefix: int  # positions that see each other


@dataclass(frozen=True, kw_only=True)
class SequenceBatch:
    """Sequences side by side, shorter ones padded at their end with positions that nobody sees."""

    inputs: Tensor  # (B, L)
    labels: Tensor  # (B, L)
    modalities: Tensor  # (B, L)
    visible: Tensor  # (B, L, L) bool, rows see columns

    def due(self, vocabulary: Vocabulary) -> dict[Modality, Tensor]:
        """For each modality of the model, the positions (B, L) bool at which its head's logits are due."""
        return {m: self.modalities == MODALITIES.index(m) for m in vocabulary.modalities}


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Samples of one length and prefix that lie one after another in a pack: attention takes them at once."""

    samples: Tensor  # (n,) int64, which samples of the pack
    start: int  # first position in the stream
    length: int  # positions of each
    prefix: int  # of those, how many see each other

    @property
    def stop(self) -> int:
        return self.start + len(self.samples) * self.length


@dataclass(frozen=True, kw_only=True)
class PackedBatch:
    """B samples as one stream of P positions without padding; each sees its own positions and its own text.

    A training step is

        batch = pack([build(layout, codes, vocabulary) for ...])  # B samples of any tasks and lengths
        logits = model(batch, text, drop=drop)  # text row i and drop[i] belong to sample i
        for modality, own in logits.items():  # own (n, rows of the head)
            loss = F.cross_entropy(own[:, : vocabulary.n_codes(modality)].float(), batch.labels(modality))

    with `batch.sample_of(modality)` telling whose each of the n positions is and `batch.n_targets` how
    many each sample has. An unconditional sample of a task with sources is built from a layout without
    prefix, with its text dropped.
    """

    inputs: Tensor  # (P,) int64 global ids
    following: Tensor  # (P,) int64 local code ids of what follows, or NO_LABEL
    modalities: Tensor  # (P,) int64 index into MODALITIES of the head that is due, or NO_HEAD
    positions: Tensor  # (P,) int64, from 0 in each sample
    samples: Tensor  # (P,) int64, whose position it is: the sample's place in what was packed
    stacks: tuple[Stack, ...]  # in the order of the stream, which is not that of the samples

    def __len__(self) -> int:
        """Samples."""
        return sum(len(stack.samples) for stack in self.stacks)

    def due(self, modality: Modality) -> Tensor:
        """(n,) int64 positions of the stream at which this modality's head is due."""
        return (self.modalities == MODALITIES.index(modality)).nonzero()[:, 0]

    def labels(self, modality: Modality) -> Tensor:
        """(n,) int64 codes that these positions predict."""
        return self.following[self.due(modality)]

    def sample_of(self, modality: Modality) -> Tensor:
        """(n,) int64 sample of each of these positions."""
        return self.samples[self.due(modality)]

    @property
    def n_targets(self) -> Tensor:
        """(B,) int64 codes that each sample predicts."""
        return torch.bincount(self.samples[self.modalities != NO_HEAD], minlength=len(self))

    def to(self, device: torch.device) -> PackedBatch:
        stacks = tuple(replace(stack, samples=stack.samples.to(device)) for stack in self.stacks)
        moved = {name: getattr(self, name).to(device) for name in _STREAMS}
        return PackedBatch(stacks=stacks, **moved)


_STREAMS = ("inputs", "following", "modalities", "positions", "samples")


def segment_ids(segment: Segment, codes: Tensor, vocabulary: Vocabulary) -> Tensor:
    """A whole segment as global ids (1 + n,): its start token, then its codes, given as local ids (n,)."""
    span = vocabulary.codes(segment.modality)
    begin = codes.new_tensor([vocabulary.start(segment)], dtype=torch.int64)
    if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < len(span):
        raise ValueError(f"{segment.modality} codes must be from 0 to {len(span) - 1}")
    return torch.cat((begin, codes.long() + span.start))


def build(layout: Layout, codes: Sequence[Tensor], vocabulary: Vocabulary) -> TokenSequence:
    """The sequence of a layout; codes: local code ids (n,) of every segment in order.

    A target position predicts the next code of its own segment. Start tokens are given, never predicted, so
    a segment's last code predicts nothing, and that of the last segment is not even fed.
    """
    if len(codes) != len(layout.segments):
        raise ValueError(f"a layout of {len(layout.segments)} segments got codes of {len(codes)}")
    inputs, labels, modalities, prefix = [], [], [], 0
    for place, (segment, own) in enumerate(zip(layout.segments, codes, strict=True)):
        ids = segment_ids(segment, own, vocabulary)
        following, head = torch.full_like(ids, NO_LABEL), torch.full_like(ids, NO_HEAD)
        if place < len(layout.prefix):
            prefix += len(ids)
        else:
            following[:-1], head[:-1] = own, MODALITIES.index(segment.modality)
        inputs.append(ids)
        labels.append(following)
        modalities.append(head)
    return TokenSequence(
        inputs=torch.cat(inputs)[:-1],
        labels=torch.cat(labels)[:-1],
        modalities=torch.cat(modalities)[:-1],
        prefix=prefix,
    )


def batch(sequences: Sequence[TokenSequence]) -> SequenceBatch:
    """Several sequences as one batch."""
    length = max(len(sequence.inputs) for sequence in sequences)

    def padded(rows: Iterable[Tensor], value: int) -> Tensor:
        return torch.stack([F.pad(row, (0, length - len(row)), value=value) for row in rows])

    device = sequences[0].inputs.device
    seen = {prefix: visibility(prefix, length, device) for prefix in {s.prefix for s in sequences}}
    return SequenceBatch(
        inputs=padded((s.inputs for s in sequences), 0),
        labels=padded((s.labels for s in sequences), NO_LABEL),
        modalities=padded((s.modalities for s in sequences), NO_HEAD),
        visible=torch.stack([seen[s.prefix] for s in sequences]),
    )


def pack(sequences: Sequence[TokenSequence]) -> PackedBatch:
    """Samples one after another, those of one length and prefix together, otherwise in their order."""
    if not sequences:
        raise ValueError("a pack needs a sample")
    kinds: dict[tuple[int, int], list[int]] = {}
    for sample, sequence in enumerate(sequences):
        kinds.setdefault((len(sequence.inputs), sequence.prefix), []).append(sample)
    device, stacks, at = sequences[0].inputs.device, [], 0
    for (length, prefix), members in kinds.items():
        own = torch.tensor(members, device=device)
        stacks.append(Stack(samples=own, start=at, length=length, prefix=prefix))
        at = stacks[-1].stop
    order = [sequences[sample] for members in kinds.values() for sample in members]
    return PackedBatch(
        inputs=torch.cat([sequence.inputs for sequence in order]),
        following=torch.cat([sequence.labels for sequence in order]),
        modalities=torch.cat([sequence.modalities for sequence in order]),
        positions=torch.cat([torch.arange(len(sequence.inputs), device=device) for sequence in order]),
        samples=torch.cat([stack.samples.repeat_interleave(stack.length) for stack in stacks]),
        stacks=tuple(stacks),
    )


def visibility(prefix: int, length: int, device: torch.device | None = None) -> Tensor:
    """(L, L) bool, rows see columns: the first `prefix` positions each other, others causally.

    Paper section 4.4: sources are a non-causal prefix, targets follow causally.
    """
    if not 0 <= prefix <= length:
        raise ValueError(f"a prefix of {prefix} does not fit into {length} positions")
    seen = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    seen[:prefix, :prefix] = True
    return seen
