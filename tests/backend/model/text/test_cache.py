"""A repeated prompt costs nothing, and the memory stays bounded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from backend.model.text import CachedTextEncoder, TextEmbeddings


class Lengths:
    """Embeds a prompt as its length; counts what it was asked."""

    name, max_tokens, widths, tokens = "lengths", 3, (2,), (3,)

    def __init__(self) -> None:
        self.asked: list[str] = []

    def count_tokens(self, prompt: str) -> int:
        return len(prompt)

    def encode(self, prompts: Sequence[str]) -> TextEmbeddings:
        self.asked += prompts
        lengths = torch.tensor([float(len(prompt)) for prompt in prompts])
        return TextEmbeddings(
            (lengths[:, None, None].expand(-1, 3, 2).clone(),), (torch.ones(len(prompts), 3).bool(),)
        )


def test_a_repeated_prompt_is_not_encoded_again() -> None:
    inner = Lengths()
    cached = CachedTextEncoder(inner)
    first = cached.encode(["", "a vase"])
    again = cached.encode(["a vase", "a vase", ""])
    assert inner.asked == ["", "a vase"]
    assert again.parts[0][:, 0, 0].tolist() == [6, 6, 0]
    assert torch.equal(first.row(1).parts[0], again.row(0).parts[0])


def test_the_oldest_prompts_are_forgotten() -> None:
    inner = Lengths()
    cached = CachedTextEncoder(inner, prompts=2)
    cached.encode(["a", "bb"])
    cached.encode(["a", "ccc"])  # bb is the oldest now
    cached.encode(["a", "bb"])
    assert inner.asked == ["a", "bb", "ccc", "bb"]


def test_a_batch_larger_than_the_cache_comes_whole() -> None:
    cached = CachedTextEncoder(Lengths(), prompts=1)
    assert cached.encode(["a", "bb", "ccc"]).parts[0][:, 0, 0].tolist() == [1, 2, 3]


def test_a_kept_prompt_does_not_keep_its_batch() -> None:
    cached = CachedTextEncoder(Lengths())
    cached.encode(["a", "bb"])
    assert cached.recent["a"].parts[0].untyped_storage().nbytes() == 3 * 2 * 4


def test_parts_and_masks_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="masks"):
        TextEmbeddings((torch.zeros(1, 3, 2),), (torch.ones(1, 2).bool(),))
    with pytest.raises(ValueError, match="unlike"):
        TextEmbeddings(
            (torch.zeros(1, 3, 2), torch.zeros(2, 3, 2)), (torch.ones(1, 3).bool(), torch.ones(2, 3).bool())
        )
