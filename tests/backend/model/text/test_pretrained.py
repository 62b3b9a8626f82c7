"""CLIP and Qwen3 through transformers: small random models of the real classes, saved in the real format."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.model.text import CLIPTextEncoder, Qwen3TextEncoder, text_encoder

Maker = Callable[..., Path]
PROMPT = "a chair with a table"


def test_clip_gives_every_position_of_the_padded_prompt(tmp_path: Path, make_clip: Maker) -> None:
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    folder = make_clip(tmp_path / "clip", 48)
    encoder = CLIPTextEncoder(str(folder))
    got = encoder.encode([PROMPT, ""])
    assert (encoder.widths, encoder.tokens, encoder.max_tokens) == ((48,), (77,), 77)
    assert got.parts[0].shape == (2, 77, 48)
    assert got.masks[0].all()
    words = CLIPTokenizer.from_pretrained(folder)([PROMPT, ""], padding="max_length", return_tensors="pt")
    reference = CLIPTextModelWithProjection.from_pretrained(folder).eval()
    with torch.no_grad():
        wanted = reference(**words).last_hidden_state
    torch.testing.assert_close(got.parts[0], wanted, atol=1e-6, rtol=0)


def test_the_text_half_of_a_whole_clip_is_read_and_saved(tmp_path: Path, make_clip: Maker) -> None:
    from transformers import CLIPConfig, CLIPModel, CLIPTextModel, CLIPVisionConfig

    text = CLIPTextModel.from_pretrained(make_clip(tmp_path / "text", 48))
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32
    )
    whole = CLIPModel(CLIPConfig(text_config=text.config.to_dict(), vision_config=vision.to_dict()))
    whole.text_model.load_state_dict(text.state_dict())
    folder = make_clip(tmp_path / "whole", 48)
    whole.save_pretrained(folder)  # as CLIP is published: both halves in one file
    encoder = CLIPTextEncoder(str(folder))
    encoder.save(tmp_path / "half")
    wanted = CLIPTextEncoder(str(tmp_path / "text")).encode([PROMPT]).parts[0]
    for read in (encoder, CLIPTextEncoder(str(tmp_path / "half"))):
        assert torch.equal(read.encode([PROMPT]).parts[0], wanted)
    assert not [name for name in load_file(tmp_path / "half" / "model.safetensors") if "vision" in name]


def test_clip_alone_equals_clip_in_a_batch(tmp_path: Path, make_clip: Maker) -> None:
    encoder = CLIPTextEncoder(str(make_clip(tmp_path)))
    together = encoder.encode(["a vase", PROMPT])
    alone = encoder.encode([PROMPT])
    torch.testing.assert_close(together.row(1).parts[0], alone.parts[0], atol=1e-6, rtol=0)


def test_a_long_prompt_is_counted_whole(tmp_path: Path, make_clip: Maker, make_qwen3: Maker) -> None:
    clip = CLIPTextEncoder(str(make_clip(tmp_path / "clip")))
    qwen3 = Qwen3TextEncoder(str(make_qwen3(tmp_path / "qwen3")), tokens=10)
    assert clip.count_tokens("m " * 100) == 102  # with its two ends
    assert clip.encode(["m " * 100]).parts[0].shape[1] == 77
    assert qwen3.count_tokens("m" * 30) == 30
    assert qwen3.encode(["m" * 30]).masks[0].sum() == 10


def test_qwen3_masks_what_stands_behind_the_prompt(tmp_path: Path, make_qwen3: Maker) -> None:
    from transformers import Qwen2Tokenizer, Qwen3Model

    folder = make_qwen3(tmp_path, 32)
    got = Qwen3TextEncoder(str(folder), tokens=64).encode(["a vase", PROMPT, ""])
    words = Qwen2Tokenizer.from_pretrained(folder)("a vase", return_tensors="pt")
    with torch.no_grad():
        wanted = Qwen3Model.from_pretrained(folder).eval()(**words).last_hidden_state[0]
    count = words.input_ids.shape[1]
    assert got.parts[0].shape == (3, 64, 32)
    assert got.masks[0].sum(dim=1).tolist()[::2] == [count, 0]
    torch.testing.assert_close(got.parts[0][0, :count], wanted, atol=1e-6, rtol=0)
    assert got.parts[0][~got.masks[0]].eq(0).all()


def test_a_half_stored_model_is_computed_in_single(tmp_path: Path, make_qwen3: Maker) -> None:
    encoder = Qwen3TextEncoder(str(make_qwen3(tmp_path, dtype=torch.bfloat16)))
    assert encoder.tokens == (256,)
    assert next(encoder.model.parameters()).dtype == torch.float32
    assert encoder.encode([PROMPT]).parts[0].dtype == torch.float32


def test_two_encoders_stand_side_by_side(tmp_path: Path, make_clip: Maker, make_qwen3: Maker) -> None:
    make_clip(tmp_path / "text" / "clip", 48)
    make_qwen3(tmp_path / "text" / "qwen+3", 32)
    encoder = text_encoder("clip:./text/clip+qwen3:text/qwen+3@90", tmp_path)
    assert (encoder.widths, encoder.tokens, encoder.max_tokens) == ((48, 32), (77, 90), 77)
    text = encoder.encode([PROMPT, ""])
    assert [part.shape for part in text.parts] == [(2, 77, 48), (2, 90, 32)]
    # The one with less room decides; both count the words' letters, CLIP adds its two ends.
    assert encoder.count_tokens("m" * 75) == 77
    assert encoder.count_tokens("m" * 76) == 78


def test_the_shorter_of_two_limits_is_what_counts(
    tmp_path: Path, make_clip: Maker, make_qwen3: Maker
) -> None:
    clip, qwen3 = make_clip(tmp_path / "clip"), make_qwen3(tmp_path / "qwen3")
    encoder = text_encoder(f"clip:{clip}+qwen3:{qwen3}@8")
    assert (encoder.max_tokens, encoder.count_tokens("m" * 9)) == (8, 9)


def test_missing_things_are_one_sentence(tmp_path: Path, make_clip: Maker) -> None:
    with pytest.raises(ValueError, match=r"no text encoder folder at .*gone"):
        text_encoder("clip:./gone", tmp_path)
    folder = make_clip(tmp_path / "clip")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="tokenizer files are missing"):
        text_encoder("clip:clip", tmp_path)
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match="does not load as CLIPTextModel") as caught:
        text_encoder("clip:clip", tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_weights_are_not_made_up(tmp_path: Path, make_clip: Maker) -> None:
    path = make_clip(tmp_path) / "model.safetensors"
    tensors = load_file(path)
    lost = next(name for name in tensors if "layers.1" in name)
    del tensors[lost]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks weights: .*layers\.1"):
        CLIPTextEncoder(str(tmp_path))


def test_a_pickle_is_never_opened(tmp_path: Path, make_clip: Maker) -> None:
    folder = make_clip(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({"weight": torch.ones(1)}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="does not load"):
        CLIPTextEncoder(str(folder))
    (folder / "model.safetensors").write_bytes(pickle.dumps({"weight": [1.0]}))
    with pytest.raises(ValueError, match="does not load"):
        CLIPTextEncoder(str(folder))


@pytest.mark.parametrize("spec", ["clip", "clip:", "bert:folder", "all-MiniLM-L6-v2:x", "qwen3:", ""])
def test_unknown_encoders_are_told_the_known_ones(spec: str) -> None:
    with pytest.raises(ValueError, match="all-MiniLM-L6-v2, clip:FOLDER"):
        text_encoder(spec)


def test_mini_never_imports_transformers() -> None:
    code = (
        "import sys; from backend.model.text import text_encoder;"
        "text_encoder('all-MiniLM-L6-v2').encode(['a']); sys.exit('transformers' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
