"""A captioner behind a server of OpenAI's chat protocol: vLLM, llama.cpp, Ollama, or a hosted one."""

from __future__ import annotations

import base64
import io
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.captions.interface import CaptionerError, Message

_BUSY = (408, 429, 500, 502, 503, 504)
_MOST = 16 << 20  # bytes of an answer


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """One model of one server."""

    name: str
    url: str  # up to and with "/v1"
    key: str = ""
    max_tokens: int = 4096  # of an answer
    seconds: float = 180.0  # to wait for one
    tries: int = 4  # while the server is busy or away
    pause: float = 2.0  # seconds before the second try; twice as long before each further one

    def answer(self, conversation: Sequence[Message], schema: Mapping[str, Any]) -> str:
        form = {"name": schema["title"], "schema": dict(schema), "strict": True}
        body = {
            "model": self.name,
            "messages": [_message(message) for message in conversation],
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "response_format": {"type": "json_schema", "json_schema": form},
        }
        reply = self._post(json.dumps(body).encode())
        try:
            text = reply["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError) as error:
            raise CaptionerError(f"{self.url} answered without a message: {str(reply)[:200]}") from error
        return text if isinstance(text, str) else ""

    def _post(self, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions", data=body, headers=headers
        )
        problem = ""
        for number in range(self.tries):
            if number:
                time.sleep(self.pause * 2 ** (number - 1))
            try:
                with urllib.request.urlopen(request, timeout=self.seconds) as reply:
                    return json.loads(reply.read(_MOST))
            except urllib.error.HTTPError as error:
                with error:
                    problem = f"{error.code} {error.read(300).decode(errors='replace')}"
                if error.code not in _BUSY:
                    break
            except (OSError, json.JSONDecodeError) as error:
                problem = str(error)
        raise CaptionerError(f"{self.url} did not answer: {problem}")


def key_of(variable: str) -> str:
    """A server's key from the environment, so that it lies in no settings file."""
    return os.environ.get(variable, "") if variable else ""


def _message(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.text}
    pictures = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in message.images]
    return {"role": message.role, "content": [*pictures, {"type": "text", "text": message.text}]}


def _data_url(image: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
