"""Captions are encoded once, alone, and let go when memory runs out."""

from __future__ import annotations

import torch

from tests.backend.small_model import Letters
from training.caption_embeddings import CaptionEmbeddings


def test_a_caption_is_encoded_once_and_padded_as_its_encoder_does() -> None:
    letters = Letters()
    captions = CaptionEmbeddings(letters)
    made = captions.rows(["a red chair", None, "a red chair", "lamp"])
    assert letters.prompts == 2
    expected = Letters().encode(["a red chair", "", "a red chair", "lamp"])
    torch.testing.assert_close(made.parts, expected.parts, atol=2e-3, rtol=1e-3)
    assert torch.equal(made.masks[0], expected.masks[0])


def test_what_was_forgotten_comes_back_the_same() -> None:
    one = 2 * 8 * 3  # bytes of three words in half precision
    captions = CaptionEmbeddings(Letters(), memory=2 * one)
    first = captions.rows(["a red chair"])
    captions.rows(["a blue lamp", "a green table"])
    again = captions.rows(["a red chair"])
    assert torch.equal(first.parts[0], again.parts[0])
    assert captions.encoder.prompts == 4  # type: ignore[attr-defined]


def test_without_memory_a_batch_is_encoded_as_a_whole() -> None:
    captions = CaptionEmbeddings(Letters(), memory=0)
    made = captions.rows(["a red chair", None])
    assert made.masks[0].sum(dim=1).tolist() == [3, 0]
    assert torch.equal(made.parts[0][0], Letters().encode(["a red chair"]).parts[0][0])
