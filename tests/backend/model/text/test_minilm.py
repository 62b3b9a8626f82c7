"""MiniLM: equal to the reference implementation, and plain about what is wrong."""

from __future__ import annotations

import pytest
import torch

from backend.model.text import minilm
from backend.model.text.minilm import MiniLMTextEncoder


@pytest.fixture(scope="module")
def encoder() -> MiniLMTextEncoder:
    return MiniLMTextEncoder()


def test_equals_the_reference_implementation(encoder: MiniLMTextEncoder) -> None:
    transformers = pytest.importorskip("transformers")
    reference = transformers.BertModel.from_pretrained(minilm._package_folder(), local_files_only=True).eval()
    got = encoder.encode(["a round wooden table", "sofa"])
    ids = torch.tensor([encoder.tokenizer.encode("a round wooden table").ids])
    with torch.no_grad():
        wanted = reference(input_ids=ids).last_hidden_state[0]
    assert got.masks[0].sum(dim=1).tolist() == [6, 3]
    torch.testing.assert_close(got.parts[0][0, :6], wanted, atol=1e-5, rtol=0)


def test_padding_changes_no_embedding(encoder: MiniLMTextEncoder) -> None:
    short, long = MiniLMTextEncoder(max_tokens=8).encode(["a mug"]), encoder.encode(["a mug"])
    torch.testing.assert_close(long.parts[0][0, :4], short.parts[0][0, :4], atol=1e-5, rtol=0)


def test_long_prompt_is_counted_whole_and_cut_with_its_end(encoder: MiniLMTextEncoder) -> None:
    prompt = "chair " * 50
    assert encoder.count_tokens(prompt) == 52
    assert encoder.encode([prompt]).masks[0].sum() == 32


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "MINILM_PACKAGE", "no_such_package")
    with pytest.raises(ValueError, match="install no_such_package"):
        MiniLMTextEncoder()
