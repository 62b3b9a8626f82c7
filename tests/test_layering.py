"""The arrows between the packages, read off the syntax trees; and what no file may do or be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("protocol", "blender_addon", "backend", "training", "tests", "scripts", "benchmarks")
STDLIB = set(sys.stdlib_module_names)
BLENDER = {"bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "gpu_extras", "blf", "addon_utils", "bl_ui"}
CONCURRENCY = {"threading", "_thread", "multiprocessing", "asyncio", "concurrent"}
UNSAFE = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 500, 60


def python_files() -> list[str]:
    """Paths from the root, with forward slashes."""
    found = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")] + list(ROOT.glob("*.py"))
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def imports(tree: ast.AST, path: str) -> Iterator[tuple[str, bool]]:
    """(absolute dotted name, whether it was written relatively) of every import, those in functions too.

    `from a import b` yields a and a.b, since b may be a module. Relative names are resolved by `path`.
    """
    package = Path(path).with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base, node.level > 0
            yield from ((f"{base}.{alias.name}".lstrip("."), node.level > 0) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "__import__",
            "importlib.import_module",
        ):
            yield from ((arg.value, False) for arg in node.args[:1] if _is_text(arg))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _protocol(name: str, relative: bool, path: str) -> bool:
    if relative:
        return _within(name, {"protocol"})
    arrays = _within(name, {"numpy", "safetensors"}) and not _within(name, {"safetensors.torch"})
    return arrays or name.split(".")[0] in STDLIB - CONCURRENCY


def _blender_addon(name: str, relative: bool, path: str) -> bool:
    blender = set() if path.startswith("blender_addon/core/") else BLENDER
    # `from .. import __package__` names the extension itself.
    inside = _within(name, {"blender_addon", "protocol", "__package__"})
    outside = name.split(".")[0] in STDLIB - CONCURRENCY or _within(name, {"numpy", "zmq", *blender})
    return inside if relative else outside


def _backend(name: str, relative: bool, path: str) -> bool:
    if _within(name, {*BLENDER, "blender_addon", "training"}):
        return False
    door = path.startswith("backend/server/") or path == "backend/cli.py"
    return door or not _within(name, {"zmq", "protocol", "backend.server"})


def _training(name: str, relative: bool, path: str) -> bool:
    shut = {"zmq", "protocol", "blender_addon", "backend.server", "backend.cli"}
    # Blender runs these in a process of its own.
    inside = Path(path).name.startswith(("blender_jobs", "blender_render", "blender_import"))
    return not _within(name, shut | (set() if inside else BLENDER))


RULES: dict[str, Callable[[str, bool, str], bool]] = {
    "protocol": _protocol,
    "blender_addon": _blender_addon,
    "backend": _backend,
    "training": _training,
}


def _dangers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("eval", "exec", "torch.load", "torch.save"):
                yield node.lineno, f"calls {called}"
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                    yield node.lineno, "allows pickle"


def findings(source: str, path: str) -> list[str]:
    """What is wrong with a file that would lie at `path`, one sentence each."""
    tree = ast.parse(source)
    room = path.split("/")[0]
    wrong = [
        f"{path} imports {name}"
        for name, relative in imports(tree, path)
        if (room in RULES and not RULES[room](name, relative, path))
        or (room != "tests" and _within(name, UNSAFE))
    ]
    if room != "tests":
        wrong += [f"{path}:{line} {what}" for line, what in _dangers(tree)]
    if (length := len(source.splitlines())) > LINES_OF_A_FILE:
        wrong.append(f"{path} has {length} lines")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LINES_OF_A_FUNCTION:
                wrong.append(f"{path}:{node.lineno} {node.name} has {length} lines")
    return wrong


@pytest.mark.parametrize("room", [*ROOMS, "root"])
def test_every_file_keeps_to_the_design(room: str) -> None:
    files = [path for path in python_files() if (path.split("/")[0] if "/" in path else "root") == room]
    assert files or not (ROOT / room).exists()
    assert [wrong for path in files for wrong in findings((ROOT / path).read_text("utf-8"), path)] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("protocol/a.py", "import torch"),
        ("protocol/a.py", "import msgspec"),
        ("protocol/a.py", "from safetensors.torch import load"),
        ("protocol/a.py", "from safetensors import torch"),
        ("protocol/a.py", "from protocol.limits import Limits"),
        ("protocol/a.py", "from ..backend import engine"),
        ("blender_addon/a.py", "import threading"),
        ("blender_addon/a.py", "from concurrent.futures import ThreadPoolExecutor"),
        ("blender_addon/a.py", "import trimesh"),
        ("blender_addon/a.py", "from protocol import messages"),
        ("blender_addon/a.py", "from ..backend import cli"),
        ("blender_addon/core/a.py", "from ... import training"),
        ("blender_addon/core/a.py", "import bpy"),
        ("blender_addon/core/a.py", "from mathutils import Matrix"),
        ("backend/pipeline.py", "import zmq"),
        ("backend/engine.py", "from protocol.messages import Event"),
        ("backend/engine.py", "from backend import server"),
        ("backend/engine.py", "from . import server"),
        ("backend/server/a.py", "import bpy"),
        ("backend/server/a.py", "import training.loop"),
        ("training/a.py", "from backend.server import worker"),
        ("training/a.py", "def f():\n    import zmq"),
        ("training/a.py", "import importlib\nimportlib.import_module('bpy')"),
        ("training/a.py", "__import__('protocol.messages')"),
        ("scripts/a.py", "import pickle"),
        ("backend/a.py", "import torch\ntorch.load('x')"),
        ("backend/a.py", "import numpy as np\nnp.load('x', allow_pickle=True)"),
        ("backend/a.py", "import numpy as np\nnp.load('x', allow_pickle=trusted)"),
        ("backend/a.py", "value = eval(text)"),
        ("tests/a.py", "x = 1\n" * 501),
        ("tests/a.py", "def f():\n" + "    x = 1\n" * 60),
    ],
)
def test_a_bad_file_is_found(path: str, line: str) -> None:
    assert len(findings(line, path)) >= 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("protocol/a.py", "from safetensors import numpy\nfrom .limits import Limits\nimport hashlib"),
        ("blender_addon/a.py", "import bpy\nimport zmq\nfrom ..protocol import jobs\nfrom .core import pace"),
        (
            "blender_addon/core/a.py",
            "from ...protocol.jobs import JobSpec\nfrom . import pace\nimport subprocess",
        ),
        ("blender_addon/a.py", "from .. import __package__ as name"),
        ("backend/cli.py", "import zmq\nfrom backend.server import keys"),
        ("backend/a.py", "model.eval()\nnp.load('x', allow_pickle=False)\nre.compile('x')"),
        ("training/blender_render.py", "import bpy"),
        ("tests/a.py", "import pickle\ndef f():\n" + "    x = 1\n" * 59),
    ],
)
def test_a_good_file_passes(path: str, line: str) -> None:
    assert findings(line, path) == []


def test_the_gateway_runs_without_torch() -> None:
    code = (
        "import sys, protocol, backend.cli, backend.server.gateway;"
        "print({'torch', 'bpy', 'backend.pipeline'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
