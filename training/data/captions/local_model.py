"""A captioner on this machine: any chat model with pictures of `transformers`, from a folder or a hub id."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image

from training.data.captions.interface import CaptionerError, Message


class LocalModel:
    """Answers greedily, so that the same pictures give the same captions."""

    def __init__(self, source: str, *, max_tokens: int = 4096, device: str | None = None) -> None:
        """Raises CaptionerError."""
        try:
            transformers: Any = importlib.import_module("transformers")
            self._processor: Any = transformers.AutoProcessor.from_pretrained(source)
            model = transformers.AutoModelForImageTextToText.from_pretrained(source, dtype="auto")
        except (ImportError, OSError, ValueError) as error:
            raise CaptionerError(f"{source} is no chat model with pictures that loads: {error}") from error
        self.name = source.rstrip("/").rpartition("/")[2]
        self._max_tokens = max_tokens
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._model: Any = model.eval().to(self._device)

    @torch.inference_mode()
    def answer(self, conversation: Sequence[Message], schema: Mapping[str, Any]) -> str:
        """The schema stands in the question; nothing but the question holds a local model to it."""
        inputs = self._processor.apply_chat_template(
            [_message(message) for message in conversation],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._device)
        floats = {
            name: value.to(self._model.dtype) for name, value in inputs.items() if value.is_floating_point()
        }
        made = self._model.generate(**{**inputs, **floats}, max_new_tokens=self._max_tokens, do_sample=False)
        text: str = self._processor.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return text


def _message(message: Message) -> dict[str, Any]:
    pictures = [{"type": "image", "image": Image.fromarray(image)} for image in message.images]
    return {"role": message.role, "content": [*pictures, {"type": "text", "text": message.text}]}
