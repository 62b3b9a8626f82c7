"""Header bytes to a checked message with the standard library alone (the add-on's decoder).

The backend's msgspec decoder reads the same dataclasses; a test holds the two to the same answers.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Callable
from typing import Any, Literal, NoReturn, Union

from .errors import ProtocolError
from .jobs import JOB_ID, JobSpec
from .messages import Message, message_class

HeaderDecoder = Callable[[bytes], Message]


def decode_header(data: bytes) -> Message:
    """Raises ProtocolError for anything but a well-formed header of a known type."""
    raw = _parse(data)
    if not isinstance(raw, dict):
        raise ProtocolError("bad_header", "A message's header is not an object.")
    cls = message_class(raw)
    try:
        message: Message = _dataclass(cls, raw, "")
    except ProtocolError as error:
        raise refine(error, raw) from error.__cause__
    return message


def decode_spec(raw: Any) -> JobSpec:
    """A job that was written down as JSON, by this version or another. Raises ProtocolError."""
    spec: JobSpec = _dataclass(JobSpec, raw, "spec")
    return spec


def refine(error: ProtocolError, raw: dict[str, Any]) -> ProtocolError:
    """The error a decoder found in `raw`, with the job it is about; a fault of the spec is the artist's."""
    job = raw.get("job")
    spec_field = (error.field or "").startswith("spec.") and error.code == "bad_header"
    return ProtocolError(
        "bad_option" if spec_field else error.code,
        error.message,
        field=error.field,
        job=job if isinstance(job, str) and JOB_ID.fullmatch(job) else None,
    )


def _parse(data: bytes) -> Any:
    try:
        raw = json.loads(data.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
        if b"\\u" in data:  # an escaped lone surrogate is no text
            json.dumps(raw, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise ProtocolError("bad_header", f"A message's header is not JSON ({error!s:.80}).") from error
    return raw


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


@functools.cache
def _fields(cls: type) -> dict[str, tuple[Any, bool]]:
    """Field name -> (type, required)."""
    hints = typing.get_type_hints(cls)
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(cls)
    }


def _dataclass(cls: type, raw: Any, path: str) -> Any:
    if not isinstance(raw, dict):
        _refuse("an object", raw, path)
    values = {}
    for name, (hint, required) in _fields(cls).items():
        here = f"{path}.{name}" if path else name
        if name in raw:
            values[name] = _value(hint, raw[name], here)
        elif required:
            raise ProtocolError("bad_header", f"A message lacks the field {here}.", field=here)
    try:
        return cls(**values)
    except ProtocolError:
        raise
    except ValueError as error:  # a dataclass's own check
        raise ProtocolError("bad_header", f"{error}.", field=path or None) from error


def _value(hint: Any, raw: Any, path: str) -> Any:
    if hint is Any:
        return raw
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):  # only X | None is used
        return None if raw is None else _value(arguments[0], raw, path)
    if origin is Literal:
        if not isinstance(raw, str) or raw not in arguments:
            _refuse(" or ".join(arguments), raw, path)
        return raw
    if origin is tuple:
        if not isinstance(raw, list):
            _refuse("a list", raw, path)
        return tuple(_value(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(raw))
    if origin is dict:
        if not isinstance(raw, dict):
            _refuse("an object", raw, path)
        return {key: _value(arguments[1], item, f"{path}.{key}") for key, item in raw.items()}
    if dataclasses.is_dataclass(hint):
        return _dataclass(typing.cast(type, hint), raw, path)
    return _scalar(hint, raw, path)


def _scalar(hint: type, raw: Any, path: str) -> Any:
    if hint is float and type(raw) is int:
        try:
            return float(raw)
        except OverflowError:
            _refuse("a number in range", "one out of range", path)
    if type(raw) is not hint:  # bool is not int here
        _refuse(hint.__name__, raw, path)
    return raw


def _refuse(expected: str, raw: Any, path: str) -> NoReturn:
    shown = f"{raw!r:.40}" if isinstance(raw, (str, int, float, bool, type(None))) else type(raw).__name__
    raise ProtocolError("bad_header", f"{path} must be {expected}, not {shown}.", field=path)
