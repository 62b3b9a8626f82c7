"""The compiled decoding step: threads draw units of the current phase until the last phase is done.

No thread waits for another by name: whoever finishes a phase's last unit opens the next phase. A helper that sleeps
or is kept from its core costs speed, never progress, and one thread alone does everything. The ticket word holds the
number of the phase (ever growing, so that a late helper cannot claim an old one) and its units not yet claimed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from numba import njit, types

from backend.decode.atomics import exchange_if, load_acquire, pause, store_release, subtract, yield_thread
from backend.decode.memory import word
from backend.decode.phases import finish_phase, normalise, run_units, units
from backend.decode.plan import BASE, DONE, PENDING, STOP, THREADS, TICKET

UNCLAIMED_BITS = 20
UNCLAIMED = (1 << UNCLAIMED_BITS) - 1
PAUSES = 2000  # about 50 microseconds of waiting before a thread lets others have its core
YIELDS = 4000  # about a millisecond more before a helper goes to sleep


@njit  # type: ignore[untyped-decorator]
def _open(plan, phase):  # type: ignore[no-untyped-def]
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


@njit  # type: ignore[untyped-decorator]
def _run_claimed(plan, ticket, count, thread):  # type: ignore[no-untyped-def]
    """Run the next `count` units of the ticket's phase; after the phase's last one open the next."""
    phase = (ticket >> UNCLAIMED_BITS) - word(plan, BASE)
    start = units(plan, phase) - (ticket & UNCLAIMED)
    run_units(plan, phase, start, start + count, thread)
    if subtract(plan + 8 * PENDING, count) == count:
        finish_phase(plan, phase)
        _open(plan, phase + 1)


@njit  # type: ignore[untyped-decorator]
def _work(plan, thread):  # type: ignore[no-untyped-def]
    """Claim and run units: the caller (thread 0) until the step is done, a helper until told or idle."""
    share = 2 * word(plan, THREADS)
    idle = 0
    while True:
        ticket = load_acquire(plan + 8 * TICKET)
        unclaimed = ticket & UNCLAIMED
        if unclaimed > 0:
            count = max(1, unclaimed // share)  # large claims first, small ones to end together
            if exchange_if(plan + 8 * TICKET, ticket, ticket - count):
                _run_claimed(plan, ticket, count, thread)
                idle = 0
            continue
        if thread == 0 and load_acquire(plan + 8 * DONE) != 0:
            return
        if thread > 0 and (idle > PAUSES + YIELDS or load_acquire(plan + 8 * STOP) != 0):
            return
        idle += 1
        if idle < PAUSES:
            pause()
        else:
            yield_thread()


def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _build(sources: str) -> Any:
    # numba's cache looks for changes in this file alone; what a function closes over is part of its key too.
    @njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
    def run(plan, thread):  # type: ignore[no-untyped-def]
        """`plan` is an address. Thread 0 takes the batch through one step, other threads help with this step and those after it."""
        if len(sources) > 0 and thread == 0:
            store_release(plan + 8 * DONE, 0)
            store_release(plan + 8 * BASE, (load_acquire(plan + 8 * TICKET) >> UNCLAIMED_BITS) + 1)
            normalise(plan)
            _open(plan, 0)
        _work(plan, thread)

    return run


run = _build(_sources())


def prepare() -> None:
    """Compile the step or load it from numba's cache, before threads meet in it."""
    run.compile((types.int64, types.int64))
