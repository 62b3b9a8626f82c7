"""What every test shares: two threads for torch, in this process and in those it starts."""

from __future__ import annotations

import os

# Before torch is imported; CI has two cores. Threads that wait must sleep: on busy cores, spinning ones make
# small models ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
