"""The text encoder: equal to the reference implementation, cached, and plain about what is wrong."""

from __future__ import annotations

import pytest
import torch

from backend.model import text
from backend.model.text import MINILM, MiniLMTextEncoder, text_encoder


@pytest.fixture(scope="module")
def encoder() -> MiniLMTextEncoder:
    return MiniLMTextEncoder()


def test_equals_the_reference_implementation(encoder: MiniLMTextEncoder) -> None:
    transformers = pytest.importorskip("transformers")
    reference = transformers.BertModel.from_pretrained(text._package_folder(), local_files_only=True).eval()
    got, mask = encoder.encode(["a round wooden table", "sofa"])
    ids = torch.tensor([encoder.tokenizer.encode("a round wooden table").ids])
    with torch.no_grad():
        wanted = reference(input_ids=ids).last_hidden_state[0]
    assert mask.sum(dim=1).tolist() == [6, 3]
    torch.testing.assert_close(got[0, :6], wanted, atol=1e-5, rtol=0)


def test_padding_changes_no_embedding(encoder: MiniLMTextEncoder) -> None:
    short = MiniLMTextEncoder(max_tokens=8).encode(["a mug"])[0]
    torch.testing.assert_close(encoder.encode(["a mug"])[0][0, :4], short[0, :4], atol=1e-5, rtol=0)


def test_repeated_prompt_is_not_encoded_again(
    encoder: MiniLMTextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encoder.encode(["a blue vase"])[0]
    monkeypatch.setattr(encoder, "_encoded", lambda prompts: pytest.fail(f"encoded {prompts} again"))
    assert torch.equal(encoder.encode(["a blue vase", "a blue vase"])[0][1], first[0])


def test_long_prompt_is_counted_whole_and_cut_with_its_end(encoder: MiniLMTextEncoder) -> None:
    prompt = "chair " * 50
    assert encoder.count_tokens(prompt) == 52
    assert encoder.encode([prompt])[1].sum() == 32


def test_unknown_encoder_names_the_known_one() -> None:
    with pytest.raises(ValueError, match=MINILM):
        text_encoder("clip")


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MINILM_PACKAGE", "no_such_package")
    with pytest.raises(ValueError, match="install no_such_package"):
        MiniLMTextEncoder()
