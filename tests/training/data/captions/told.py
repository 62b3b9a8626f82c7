"""A painted box as an asset with views, a captioner that answers as told, and a server in front of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from training.data.assets.asset import Asset, Material, write_asset
from training.data.captions.interface import Message
from training.data.rendering.cameras import CANONICAL, place
from training.data.rendering.product import View, write_views
from training.data.rendering.raster import Picture
from training.data.steps import Item

LONG = " ".join(["a plain tall box with a red front and blue sides"] * 4)
ANSWERS: dict[str, dict[str, Any]] = {
    "Views": {"reasoning": "r", "views": [{"picture": name, "description": "a box"} for name in CANONICAL]},
    "Orientation": {"reasoning": "r", "correspondences": ["c"], "front": "front", "upright": True},
    "Analysis": dict.fromkeys(("reasoning", "appearance", "geometry", "function", "origin"), "text"),
    "Caption": {"reasoning": "r", "paragraph": LONG, "category": "container"},
    "Captions": {
        "reasoning": "r",
        "short": ["a red box", "blue dog"],
        "medium": ["a plain tall box with a red front and blue sides"],
        "long": [LONG],
    },
    "Scores": {"reasoning": "r", "scores": [9, 2, 8, 7]},
}


class Told:
    """Gives the answers above; those in `first` come first, one a call."""

    name = "told"

    def __init__(self, first: Mapping[str, Sequence[str]] | None = None, **changed: Any) -> None:
        self.first = {kind: list(answers) for kind, answers in (first or {}).items()}
        self.answers = {**ANSWERS, **changed}
        self.asked: list[tuple[str, list[Message]]] = []

    def answer(self, conversation: Sequence[Message], schema: Mapping[str, Any]) -> str:
        self.asked.append((schema["title"], list(conversation)))
        waiting = self.first.get(schema["title"])
        return waiting.pop(0) if waiting else json.dumps(self.answers[schema["title"]])


class Server:
    """A chat server of one thread on this machine: what it was sent, and how often it is busy."""

    def __init__(self, model: Told) -> None:
        self.busy = 0  # how many requests are turned away
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append(body)
                outer.keys.append(self.headers.get("Authorization"))
                told = model.answer([], body["response_format"]["json_schema"]["schema"])
                reply = json.dumps({"choices": [{"message": {"content": told}}]}).encode()
                self.send_response(503 if len(outer.bodies) <= outer.busy else 200)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *words: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def painted(name: str = "SM_Box_tall_01", category: str | None = "container", **changed: Any) -> Asset:
    """A tall box, three quarters of it red and its top blue."""
    box = trimesh.creation.box((0.8, 0.8, 1.92)).subdivide()
    vertices = np.asarray(box.vertices, np.float32)
    blue = (vertices[box.faces][:, :, 2].mean(axis=1) > 0.5).repeat(3)
    colors = np.tile(np.array([[200, 40, 35, 255]], np.uint8), (3 * len(box.faces), 1))
    colors[blue] = (30, 70, 190, 255)
    words: dict[str, Any] = {"key": "box-0", "source": "box.glb", "provenance": {}, "colors": colors}
    words["part_names"] = ("",)
    return Asset(
        name=name,
        category=category,
        vertices=vertices[box.faces.ravel()],
        faces=np.arange(3 * len(box.faces), dtype=np.int32).reshape(-1, 3),
        materials=(Material(),),
        face_material=np.zeros(len(box.faces), np.int32),
        parts=np.zeros(len(box.faces), np.int32),
        **(words | changed),
    )


def stored(asset: Asset, data: Path) -> Item:
    """An item of the step: the asset, and views of it that show nothing much."""
    write_asset(data / "asset", asset)
    empty = Picture(
        color=np.full((8, 8, 4), 200, np.uint8),
        depth=np.ones((8, 8), np.uint16),
        normals=np.full((8, 8, 3), 128, np.uint8),
    )
    views = [View(name=name, pose=place(camera), lighting=None) for name, camera in CANONICAL.items()]
    write_views(data / "views", asset.key, "raster", views, [empty] * len(views))
    return Item(key=asset.key, inputs={"asset": "asset", "views": "views"})
