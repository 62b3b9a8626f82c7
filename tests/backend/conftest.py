"""Small randomly initialised text models of the real classes, saved in the real format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers.pre_tokenizers import ByteLevel

TextModelMaker = Callable[..., Path]


def _vocabulary(suffix: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Every byte, alone and at a word's end, and the merges of two words."""
    alphabet = sorted(ByteLevel.alphabet())
    words = [*alphabet, *(letter + suffix for letter in alphabet if suffix)]
    merges = [("c", "h"), ("ch", "a"), ("t", "a")]
    words += [first + second for first, second in merges]
    return {word: index for index, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}, merges


@pytest.fixture
def make_clip() -> TextModelMaker:
    """Writes a CLIP text model of a width into a folder."""

    def make(folder: Path, width: int = 48, tokens: int = 77, **changes: Any) -> Path:
        from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

        vocabulary, merges = _vocabulary("</w>")
        sizes = {"hidden_size": width, "intermediate_size": 2 * width, "max_position_embeddings": tokens}
        ends = {
            "bos_token_id": vocabulary["<|startoftext|>"],
            "eos_token_id": vocabulary["<|endoftext|>"],
            "pad_token_id": vocabulary["<|endoftext|>"],
        }
        config = CLIPTextConfig(
            vocab_size=len(vocabulary), num_hidden_layers=2, num_attention_heads=2, **sizes, **ends, **changes
        )
        torch.manual_seed(0)
        CLIPTextModel(config).save_pretrained(folder)
        CLIPTokenizer(vocabulary, merges, model_max_length=tokens).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def make_qwen3() -> TextModelMaker:
    """Writes a Qwen3 model of a width into a folder, in the stored type given."""

    def make(folder: Path, width: int = 32, dtype: torch.dtype = torch.float32) -> Path:
        from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3Model

        vocabulary, merges = _vocabulary("")
        config = Qwen3Config(
            vocab_size=len(vocabulary),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
        )
        torch.manual_seed(0)
        Qwen3Model(config).to(dtype).save_pretrained(folder)
        Qwen2Tokenizer(vocabulary, merges).save_pretrained(folder)
        return folder

    return make
