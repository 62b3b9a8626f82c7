"""The compiled decoding step: threads draw units of the current phase until the last one is done.

No thread waits for another by name: whoever finishes a phase's last unit opens the next. A helper asleep
costs speed, never progress, and one thread alone does all. The ticket word holds the phase's number, ever
growing so that a late helper cannot claim an old one, and its units not yet claimed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from numba import types

from backend.decode.atomics import exchange_if, load_acquire, pause, store_release, subtract, yield_thread
from backend.decode.compiled import compiled
from backend.decode.memory import word
from backend.decode.phases import embed, finish_phase, run_units, units
from backend.decode.plan import BASE, DONE, PENDING, STOP, THREADS, TICKET

COMPILED_FROM = (  # the modules whose code becomes part of the step
    "atomics",
    "attention",
    "compiled",
    "memory",
    "microkernel",
    "phases",
    "plan",
    "products",
    "step",
    "vector_math",
)
UNCLAIMED_BITS = 20
UNCLAIMED = (1 << UNCLAIMED_BITS) - 1
PAUSES = 500  # some ten microseconds of waiting before others may have the core
PATIENCE = 16 * PAUSES  # a helper's, in pauses; then it sleeps. It outlasts choosing ids between two steps


@compiled()
def _open(plan: int, phase: int) -> None:
    """Open the first phase from `phase` on that has units, or declare the step done."""
    count = units(plan, phase)
    while count == 0:
        phase += 1
        count = units(plan, phase)
    number = (word(plan, BASE) + phase) << UNCLAIMED_BITS
    if count < 0:
        store_release(plan + 8 * TICKET, number)
        store_release(plan + 8 * DONE, 1)
    else:
        store_release(plan + 8 * PENDING, count)
        store_release(plan + 8 * TICKET, number + count)


@compiled(inline="always")
def _run_claimed(plan: int, ticket: int, count: int, thread: int) -> None:
    """Run the next `count` units of the ticket's phase; after the phase's last one open the next."""
    phase = (ticket >> UNCLAIMED_BITS) - word(plan, BASE)
    start = units(plan, phase) - (ticket & UNCLAIMED)
    run_units(plan, phase, start, start + count, thread)
    if subtract(plan + 8 * PENDING, count) == count:
        finish_phase(plan, phase)
        _open(plan, phase + 1)


@compiled(inline="always")
def _work(plan: int, thread: int) -> None:
    """Claim and run units: the caller (thread 0) until the step is done, a helper until told or idle."""
    threads, idle = word(plan, THREADS), 0
    while True:
        ticket = load_acquire(plan + 8 * TICKET)
        unclaimed = ticket & UNCLAIMED
        if unclaimed > 0:
            # Large claims first, for few of them; small ones last, to end together.
            count = max(1, unclaimed // threads)
            if exchange_if(plan + 8 * TICKET, ticket, ticket - count):
                _run_claimed(plan, ticket, count, thread)
                idle = 0
            continue
        if thread == 0 and load_acquire(plan + 8 * DONE) != 0:
            return
        if thread > 0 and (idle > PATIENCE or load_acquire(plan + 8 * STOP) != 0):
            return
        idle += 1
        if idle % PAUSES == 0:
            yield_thread()
        else:
            pause()


def _sources() -> str:
    digest = hashlib.sha256()
    for name in COMPILED_FROM:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()


def _build(sources: str) -> Any:
    # numba's cache looks for changes in this file alone; what a function closes over is part of its key too.
    def run(plan: int, thread: int) -> None:
        """Thread 0 takes the plan at this address through a step; others help until they are idle."""
        if len(sources) > 0 and thread == 0:
            store_release(plan + 8 * DONE, 0)
            store_release(plan + 8 * BASE, (load_acquire(plan + 8 * TICKET) >> UNCLAIMED_BITS) + 1)
            embed(plan)
            _open(plan, 0)
        _work(plan, thread)

    try:
        return compiled(nogil=True, cache=True)(run)
    except RuntimeError:  # neither this folder nor the user's cache can be written: compile in every process
        return compiled(nogil=True)(run)


run = _build(_sources())


def prepare() -> None:
    """Compile the step or load it from numba's cache, before threads meet in it."""
    run.compile((types.int64, types.int64))
