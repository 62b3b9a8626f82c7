"""A vision-language model of `transformers`, tiny and of random weights, on this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.data.captions.told import painted, stored
from training.data.assets.asset import Rejected
from training.data.captions.chain import ChainSettings
from training.data.captions.interface import CaptionerError, Message
from training.data.captions.local_model import LocalModel
from training.data.captions.step import CaptionSettings, make

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}:{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}\n{% endfor %}assistant:"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LLaVA with a vocabulary of bytes and one layer."""
    torch.manual_seed(0)
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[])
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="</s>", pad_token="</s>", additional_special_tokens=["<image>"]
    )
    processor = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessorPil(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    )
    small = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    vision = transformers.CLIPVisionConfig(**small, num_hidden_layers=2, image_size=28, patch_size=14)
    text = transformers.LlamaConfig(**small, num_hidden_layers=1, vocab_size=len(tokenizer))
    config = transformers.LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=tokenizer.convert_tokens_to_ids("<image>")
    )
    path = tmp_path_factory.mktemp("llava")
    transformers.LlavaForConditionalGeneration(config).save_pretrained(path)
    processor.save_pretrained(path)
    return path


def test_a_local_model_answers_a_conversation_with_pictures_the_same_each_time(folder: Path) -> None:
    model = LocalModel(str(folder), max_tokens=6, device="cpu")
    pictures = (np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8))
    talk = [Message(role="system", text="say"), Message(role="user", text="what?", images=pictures)]
    answer = model.answer(talk, {})
    assert answer
    assert answer == model.answer(talk, {})
    assert "what?" not in answer


def test_a_model_that_answers_nonsense_costs_its_asset_with_a_reason(folder: Path, tmp_path: Path) -> None:
    settings = CaptionSettings(
        captioner="local", model=str(folder), max_tokens=4, chain=ChainSettings(attempts=2)
    )
    with pytest.raises(Rejected, match="no usable Views"):
        make(stored(painted(), tmp_path), settings, tmp_path, tmp_path / "story")


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match="is no chat model with pictures"):
        LocalModel(str(tmp_path))
