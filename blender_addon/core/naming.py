"""Object names from prompts."""

from __future__ import annotations

import re

ARTICLES = {"a", "an", "the", "some"}
MAX_LENGTH = 40  # an object's name holds 63 bytes; Blender adds ".001"


def object_name(prompt: str) -> str:
    """ "a round wooden table, oak" -> "Round wooden table"; never empty."""
    head = re.split(r"[,.;:!?\n]", prompt.strip(), maxsplit=1)[0]
    words = head.split()
    if len(words) > 1 and words[0].lower() in ARTICLES:
        words = words[1:]
    name = ""
    for word in words:
        longer = f"{name} {word}".strip()
        if len(longer.encode()) > MAX_LENGTH:
            break
        name = longer
    if not name and words:
        name = words[0].encode()[:MAX_LENGTH].decode(errors="ignore")
    return name[:1].upper() + name[1:] if name else "Shape"
