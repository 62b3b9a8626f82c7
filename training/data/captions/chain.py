"""The paper's captioning chain (section 3.4): one conversation with the pictures kept in it.

Views are described, the object is oriented by what corresponds between them and analysed; then come the
paragraph and the category, captions of three lengths in the manner of people's, and scores of how well
each fits. Answers are JSON of a schema; one that is not is asked for again with what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from training.data.assets.asset import Rejected
from training.data.captions import prompts
from training.data.captions.examples import Examples
from training.data.captions.interface import Message, VisionLanguageModel
from training.data.captions.lengths import LENGTHS, fits, words
from training.data.captions.schemas import (
    Analysis,
    Caption,
    Captions,
    Orientation,
    Scores,
    Views,
    read_answer,
    schema_of,
)

A = TypeVar("A", bound=Struct)


@dataclass(frozen=True, kw_only=True)
class ChainSettings:
    """How a model is asked."""

    attempts: int = 3  # at each turn
    n_examples: int = 4  # people's captions shown, of the asset's category
    min_score: float = 6.0  # of 10; captions below are dropped
    variants: int = 3  # short captions asked for
    categories: tuple[str, ...] = ()  # to choose from; empty: the model's own words

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.variants < 1:
            raise ValueError(f"attempts and variants must be 1 or more, not {self.attempts}, {self.variants}")
        if not 0 <= self.min_score <= 10:
            raise ValueError(f"min_score must lie in 0..10, not {self.min_score}")


@dataclass(frozen=True, kw_only=True)
class Described:
    """What the chain found of one asset."""

    captions: dict[str, list[str]]  # by level, those that passed
    scores: dict[str, list[float]]  # of the same captions
    paragraph: str
    category: str
    front: str  # name of the picture that shows the front
    dropped: int  # captions that did not fit the object
    conversation: tuple[dict[str, Any], ...]  # the log: role, text, names of the pictures


@dataclass(kw_only=True)
class _Conversation:
    """The turns so far, and as they are logged."""

    model: VisionLanguageModel
    attempts: int
    messages: list[Message] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)

    def say(self, message: Message, pictures: Sequence[str] = ()) -> None:
        self.messages.append(message)
        entry: dict[str, Any] = {"role": message.role, "text": message.text}
        self.log.append(entry | ({"pictures": list(pictures)} if pictures else {}))

    def ask(
        self,
        question: str,
        kind: type[A],
        check: Callable[[A], str],
        images: Mapping[str, NDArray[np.uint8]] | None = None,
    ) -> A:
        """`check` gives what is wrong with an answer, or ""."""
        schema = schema_of(kind)
        shown = images or {}
        text = prompts.with_schema(question, schema)
        self.say(Message(role="user", text=text, images=tuple(shown.values())), tuple(shown))
        wrong = ""
        for _ in range(self.attempts):
            reply = self.model.answer(self.messages, schema)
            self.say(Message(role="assistant", text=reply))
            try:
                answer = read_answer(reply, kind)
                wrong = check(answer)
            except ValueError as error:
                wrong = str(error)
            if not wrong:
                return answer
            self.say(Message(role="user", text=prompts.again(wrong)))
        raise Rejected("captions_unusable", f"{self.model.name} gave no usable {kind.__name__}: {wrong}")


def describe(
    model: VisionLanguageModel,
    pictures: Mapping[str, NDArray[np.uint8]],
    metadata: Mapping[str, Any],
    examples: Examples,
    settings: ChainSettings,
    rng: np.random.Generator,
) -> Described:
    """Asks the whole chain of a model. Raises Rejected for answers that cannot be used, CaptionerError."""
    talk = _Conversation(model=model, attempts=settings.attempts)
    talk.say(Message(role="system", text=prompts.SYSTEM))
    talk.ask(prompts.views(list(pictures), metadata), Views, lambda a: _views_wrong(a, pictures), pictures)
    orientation = talk.ask(prompts.ORIENTATION, Orientation, lambda a: _front_wrong(a, pictures))
    talk.ask(prompts.ANALYSIS, Analysis, lambda _: "")
    caption = talk.ask(
        prompts.caption(settings.categories), Caption, lambda a: _caption_wrong(a, settings.categories)
    )
    shown = examples.draw(caption.category, settings.n_examples, rng)
    made = talk.ask(prompts.captions(shown, settings.variants), Captions, _captions_wrong)
    texts = [(level, text) for level in LENGTHS for text in dict.fromkeys(getattr(made, level))]
    scored = talk.ask(
        prompts.scores([text for _, text in texts]), Scores, lambda a: _scores_wrong(a, len(texts))
    )
    captions, scores, dropped = _filtered(texts, scored.scores, settings.min_score)
    return Described(
        captions=captions,
        scores=scores,
        paragraph=caption.paragraph,
        category=caption.category,
        front=orientation.front,
        dropped=dropped,
        conversation=tuple(talk.log),
    )


def _filtered(
    texts: Sequence[tuple[str, str]], scores: Sequence[float], least: float
) -> tuple[dict[str, list[str]], dict[str, list[float]], int]:
    """The captions that fit the object well enough. Raises Rejected where none does."""
    kept = [
        (level, text, score) for (level, text), score in zip(texts, scores, strict=True) if score >= least
    ]
    if not kept:
        raise Rejected("captions_disagree", f"No caption fits the pictures: the best of {len(texts)} has "
                       f"{max(scores):.1f} of 10, under {least}.")  # fmt: skip
    captions = {level: [text for own, text, _ in kept if own == level] for level in LENGTHS}
    by_level = {level: [score for own, _, score in kept if own == level] for level in LENGTHS}
    return captions, by_level, len(texts) - len(kept)


def _views_wrong(answer: Views, pictures: Mapping[str, Any]) -> str:
    missing = [name for name in pictures if name not in {view.picture for view in answer.views}]
    return f"the pictures {', '.join(missing)} are not described" if missing else ""


def _front_wrong(answer: Orientation, pictures: Mapping[str, Any]) -> str:
    return "" if answer.front in pictures else f"front must be one of {', '.join(pictures)}"


def _caption_wrong(answer: Caption, categories: Sequence[str]) -> str:
    if words(answer.paragraph) < LENGTHS["long"][0]:
        return f"the paragraph has {words(answer.paragraph)} words; it needs {LENGTHS['long'][0]} or more"
    if categories and answer.category not in categories:
        return f"category must be one of {', '.join(categories)}"
    return ""


def _captions_wrong(answer: Captions) -> str:
    """Every level has a caption, and each the number of words of its level."""
    for level, (low, high) in LENGTHS.items():
        texts = getattr(answer, level)
        if not texts:
            return f"there is no {level} caption"
        wrong = [text for text in texts if not fits(text, level)]
        if wrong:
            return f"{level} captions have {low} to {high} words, not {words(wrong[0])} as {wrong[0]!r} has"
    return ""


def _scores_wrong(answer: Scores, count: int) -> str:
    return "" if len(answer.scores) == count else f"there must be {count} scores, one a caption"
