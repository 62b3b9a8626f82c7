"""What every test shares: two threads for torch, in this process and in those it starts."""

from __future__ import annotations

import os

# Before torch is imported; CI has two cores.
os.environ.setdefault("OMP_NUM_THREADS", "2")
