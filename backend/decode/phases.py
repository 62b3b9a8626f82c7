"""One token through the layers, cut into phases whose units threads may run in any order.

A layer has five phases: queries, keys and values | attention | output projection | gate and up | down. Then
follow the heads asked for. A unit is UNIT outputs of a matrix, or one head of one row. `plan` is the address
of the words that `backend.decode.plan` names.
"""

from __future__ import annotations

from backend.decode import plan as words
from backend.decode.attention import attend
from backend.decode.compiled import compiled
from backend.decode.memory import clear, floats, load_float, word
from backend.decode.microkernel import BFLOAT16, INT8, OUTPUTS, make_load
from backend.decode.plan import (
    BATCH_WORDS,
    BIAS,
    DOWN,
    GATE,
    IN_FEATURES,
    KIND,
    LINEAR_WORDS,
    OUT_FEATURES,
    PER_LAYER,
    PROJECTION,
    QUERY_KEY,
    SCALE,
    UP,
    VALUE,
    WEIGHT,
)
from backend.decode.products import multiply
from backend.decode.vector_math import gated, layer_norm, norm_and_rotate

load_bfloat = make_load(BFLOAT16)
UNIT = 4 * OUTPUTS  # outputs of a matrix that are claimed together
PHASES = 5
ENTER, ATTEND, LEAVE, WIDEN, NARROW = range(PHASES)


@compiled()
def _unit_count(outputs: int) -> int:
    return (outputs + UNIT - 1) // UNIT


@compiled()
def _linear(plan: int, layer: int, which: int) -> int:
    return word(plan, words.LINEARS) + 8 * LINEAR_WORDS * (layer * PER_LAYER + which)


@compiled()
def units(plan: int, phase: int) -> int:
    """How many units the phase has; -1 after the last phase."""
    layers, width = word(plan, words.LAYERS), word(plan, words.WIDTH)
    head = phase - PHASES * layers
    if head >= 0:
        if head >= word(plan, words.MODALITIES):
            return -1
        asked = word(plan, words.ASKED) + 16 * head
        if word(asked, 0) == word(asked, 1):
            return 0
        return _unit_count(word(_linear(plan, layers, head), OUT_FEATURES))
    kind = phase % PHASES
    if kind == ENTER:
        return _unit_count(2 * width) + _unit_count(width)
    if kind == ATTEND:
        return word(plan, words.ROWS) * word(plan, words.HEADS)
    return _unit_count(word(plan, words.HIDDEN) if kind == WIDEN else width)


@compiled()
def _project(
    linear: int, start: int, stop: int, rows: int, x: int, x_stride: int, y: int, y_stride: int
) -> None:
    """y[r, o] = linear(x[r])[o] for the outputs of units start .. stop-1."""
    first = start * UNIT
    count = min(stop * UNIT, word(linear, OUT_FEATURES)) - first
    if count <= 0:
        return
    inputs, kind = word(linear, IN_FEATURES), word(linear, KIND)
    y += 4 * first
    for row in range(rows):
        clear(floats(y + row * y_stride, count))
    item = 1 if kind == INT8 else 2 if kind == BFLOAT16 else 4
    w = word(linear, WEIGHT) + item * inputs * first
    multiply(kind, x, x_stride, rows, w, inputs, count, y, y_stride)
    for row in range(rows):
        out = floats(y + row * y_stride, count)
        if word(linear, SCALE) != 0:
            scale = floats(word(linear, SCALE) + 4 * first, count)
            for o in range(count):
                out[o] *= scale[o]
        if word(linear, BIAS) != 0:
            bias = floats(word(linear, BIAS) + 4 * first, count)
            for o in range(count):
                out[o] += bias[o]


@compiled(inline="always")
def _enter(plan: int, layer: int, start: int, stop: int) -> None:
    rows, width = word(plan, words.ROWS), word(plan, words.WIDTH)
    x, x_stride = word(plan, words.NORMED), word(plan, words.WIDTH_BYTES)
    y, y_stride = word(plan, words.QKV), 12 * width
    split = _unit_count(2 * width)
    _project(_linear(plan, layer, QUERY_KEY), start, min(stop, split), rows, x, x_stride, y, y_stride)
    after = max(start, split) - split
    _project(_linear(plan, layer, VALUE), after, stop - split, rows, x, x_stride, y + 8 * width, y_stride)


@compiled()
def _cached(plan: int, layer: int, place: int, head: int) -> tuple[int, int]:
    """Address of a head's keys, and how far behind them its values lie."""
    heads, places = word(plan, words.HEADS), word(plan, words.PLACES)
    per_head = 4 * word(plan, words.LENGTH) * (word(plan, words.WIDTH) // heads)
    at = ((2 * layer * places + place) * heads + head) * per_head
    return word(plan, words.CACHE) + at, places * heads * per_head


@compiled()
def _attend(plan: int, layer: int, unit: int, thread: int) -> None:
    """Head `unit % N` of row `unit // N`: norms, rotation, its new key and value, attention."""
    heads, width = word(plan, words.HEADS), word(plan, words.WIDTH)
    row, head, size = unit // heads, unit % heads, width // heads
    batch = word(plan, words.BATCH) + 8 * BATCH_WORDS * row
    place, position = word(batch, 0), word(batch, 1)
    keys, between = _cached(plan, layer, place, head)
    values = keys + between

    new = word(plan, words.QKV) + 4 * (3 * row * width + head * size)
    query, key = floats(new, size), floats(new + 4 * width, size)
    norms = word(plan, words.NORMS) + 8 * layer * size
    rotary = word(plan, words.ROTARY) + 4 * position * size
    cosine = floats(rotary, size)
    sine = floats(rotary + 4 * word(plan, words.LENGTH) * size, size)
    eps = load_float(word(plan, words.EPSILONS) + 4)
    norm_and_rotate(query, floats(norms, size), cosine, sine, eps, query)
    last = 4 * position * size
    norm_and_rotate(key, floats(norms + 4 * size, size), cosine, sine, eps, floats(keys + last, size))
    new_value, value = floats(new + 8 * width, size), floats(values + last, size)
    for h in range(size):
        value[h] = new_value[h]

    known, known_keys, known_values = 0, 0, 0
    if layer < word(plan, words.DUAL):
        row_known = word(plan, words.KNOWN) + 8 * place * (1 + 2 * word(plan, words.DUAL))
        known = word(row_known, 0)
        known_keys = word(row_known, 1 + 2 * layer) + 4 * known * head * size
        known_values = word(row_known, 2 + 2 * layer) + 4 * known * head * size
    following = min(unit + 1, word(plan, words.ROWS) * heads - 1)
    next_place = word(word(plan, words.BATCH), BATCH_WORDS * (following // heads))
    ahead = _cached(plan, layer, next_place, following % heads)[0] - keys
    scores = word(plan, words.SCORES) + 4 * thread * word(plan, words.POSITIONS)
    out = word(plan, words.ATTENDED) + row * word(plan, words.WIDTH_BYTES) + 4 * head * size
    conditioning, own = (known, known_keys, known_values), (position + 1, keys, values)
    attend(new, size, conditioning, own, ahead, scores, out)


@compiled(inline="always")
def _add(plan: int, linear: int, start: int, stop: int, source: int, stride: int) -> None:
    """Project and add to the residual stream."""
    rows, width = word(plan, words.ROWS), word(plan, words.WIDTH)
    added, x = word(plan, words.ADDED), word(plan, words.X)
    _project(linear, start, stop, rows, source, stride, added, 4 * width)
    first = start * UNIT
    count = min(stop * UNIT, width) - first
    for row in range(rows):
        at = 4 * (row * width + first)
        stream, more = floats(x + at, count), floats(added + at, count)
        for o in range(count):
            stream[o] += more[o]


@compiled(inline="always")
def _widen(plan: int, layer: int, start: int, stop: int) -> None:
    rows, hidden = word(plan, words.ROWS), word(plan, words.HIDDEN)
    x, x_stride = word(plan, words.NORMED), word(plan, words.WIDTH_BYTES)
    gate, up, stride = word(plan, words.GATED), word(plan, words.RAISED), word(plan, words.HIDDEN_BYTES)
    _project(_linear(plan, layer, GATE), start, stop, rows, x, x_stride, gate, stride)
    _project(_linear(plan, layer, UP), start, stop, rows, x, x_stride, up, stride)
    first = start * UNIT
    count = min(stop * UNIT, hidden) - first
    for row in range(rows):
        at = row * stride + 4 * first
        gated(floats(gate + at, count), floats(up + at, count))


@compiled(inline="always")
def _head(plan: int, layers: int, head: int, start: int, stop: int) -> None:
    asked = word(plan, words.ASKED) + 16 * head
    first, rows = word(asked, 0), word(asked, 1) - word(asked, 0)
    x_stride, y_stride = word(plan, words.WIDTH_BYTES), 4 * word(plan, words.CODES)
    x, y = word(plan, words.NORMED) + first * x_stride, word(plan, words.LOGITS) + first * y_stride
    _project(_linear(plan, layers, head), start, stop, rows, x, x_stride, y, y_stride)


@compiled(inline="always")
def run_units(plan: int, phase: int, start: int, stop: int, thread: int) -> None:
    layers, layer, kind = word(plan, words.LAYERS), phase // PHASES, phase % PHASES
    if layer >= layers:
        _head(plan, layers, phase - PHASES * layers, start, stop)
    elif kind == ENTER:
        _enter(plan, layer, start, stop)
    elif kind == ATTEND:
        for unit in range(start, stop):
            _attend(plan, layer, unit, thread)
    elif kind == LEAVE:
        source, stride = word(plan, words.ATTENDED), word(plan, words.WIDTH_BYTES)
        _add(plan, _linear(plan, layer, PROJECTION), start, stop, source, stride)
    elif kind == WIDEN:
        _widen(plan, layer, start, stop)
    else:
        source, stride = word(plan, words.GATED), word(plan, words.HIDDEN_BYTES)
        _add(plan, _linear(plan, layer, DOWN), start, stop, source, stride)


@compiled()
def embed(plan: int) -> None:
    """The batch's ids become the residual stream."""
    width, bfloat = word(plan, words.WIDTH), word(plan, words.TABLE_KIND) == BFLOAT16
    item = 2 if bfloat else 4
    for row in range(word(plan, words.ROWS)):
        token = word(word(plan, words.BATCH), BATCH_WORDS * row + 2)
        at = word(plan, words.TABLE) + item * width * token
        x = floats(word(plan, words.X) + 4 * row * width, width)
        for i in range(width):
            x[i] = load_bfloat(at + 2 * i) if bfloat else load_float(at + 4 * i)
    normalise(plan)


@compiled()
def normalise(plan: int) -> None:
    width, eps = word(plan, words.WIDTH), load_float(word(plan, words.EPSILONS))
    for row in range(word(plan, words.ROWS)):
        x = word(plan, words.X) + 4 * row * width
        normed = word(plan, words.NORMED) + row * word(plan, words.WIDTH_BYTES)
        layer_norm(floats(x, width), floats(normed, width), eps)


@compiled(inline="always")
def finish_phase(plan: int, phase: int) -> None:
    """What one thread does between two phases."""
    kind = phase % PHASES
    if phase < PHASES * word(plan, words.LAYERS) and kind in (LEAVE, NARROW):
        normalise(plan)
