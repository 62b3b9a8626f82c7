"""Loads the extension's logic without Blender, under a name of its own.

Its modules import `protocol` relatively, so the repository's root has to be a package, as in Blender.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = "omni123_extension"

if EXTENSION not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        EXTENSION, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[EXTENSION] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[EXTENSION])
