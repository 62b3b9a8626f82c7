"""Edit pairs: a source, a target that differs in one thing, and instructions that say in what."""

from .settings import KINDS, EditSettings, Kind
from .step import EDITS
from .variations import exact

__all__ = ["EDITS", "KINDS", "EditSettings", "Kind", "exact"]
