"""Values that Python has no type for, and JSON text that loses none of them.

A value is None, a bool, an int of 64 bits, a float, a str, bytes, a `Timestamp`, a list, or a dict with str for keys (`Pairs` if a key comes
twice). A tuple is taken for a list, a `datetime` for a `Timestamp`, a number of numpy's for what it holds.
"""

import json
from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Timestamp(int):
    """A point in time, in microseconds since 1970 UTC."""

    __slots__ = ()

    @classmethod
    def of(cls, time: datetime) -> "Timestamp":
        """Of a datetime; one without a zone is UTC."""
        if time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        return cls((time - _EPOCH) // timedelta(microseconds=1))

    def datetime(self) -> datetime:
        """An OverflowError outside the years 1 to 9999."""
        return _EPOCH + timedelta(microseconds=int(self))

    def __repr__(self) -> str:
        return f"Timestamp({int(self)})"


class Pairs(list):
    """A map with a key that comes twice: a list of (key, value)."""

    __slots__ = ()


PLAIN = frozenset({type(None), bool, int, float, str, bytes, Timestamp})
"""Types of which a column can be."""


def plain(value):
    """The value, or what it is taken for. A TypeError if that is nothing."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, datetime):
        return Timestamp.of(value)
    if isinstance(value, Pairs):
        return Pairs((_key(key), plain(item)) for key, item in value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    for base in (bool, Timestamp, int, float, str, bytes):
        if isinstance(value, base):
            return base(value)
    if hasattr(value, "item"):
        return plain(value.item())
    raise TypeError(f"{kind.__name__} is no type that a value can have: {value!r}")


def _key(key):
    if not isinstance(key, str):
        raise TypeError(f"a key of a map must be a str, not {type(key).__name__}: {key!r}")
    return str(key)


def exact_dumps(value) -> str:
    """The text of a plain value, for columns that have no type of their own."""
    return json.dumps(_tagged(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def exact_loads(text: str):
    """The value of such a text."""
    return json.loads(text, object_pairs_hook=_untagged)


def _tagged(value):
    kind = type(value)
    if kind is int:
        if not -(1 << 63) <= value < 1 << 63:
            raise OverflowError(f"an int of more than 64 bits: {value}")
        return value
    if kind is float and (value != value or value in (float("inf"), float("-inf"))):
        return {"$float": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}
    if kind is Timestamp:
        return {"$timestamp": int(value)}
    if kind is bytes:
        return {"$bytes": value.hex()}
    if kind is Pairs:
        return {"$map": [[key, _tagged(item)] for key, item in value]}
    if kind is list:
        return [_tagged(item) for item in value]
    if kind is dict:
        if len(value) == 1 and next(iter(value)).startswith("$"):
            return {"$map": [[key, _tagged(item)] for key, item in value.items()]}
        return {key: _tagged(item) for key, item in value.items()}
    return value


def _untagged(entries):
    if len(entries) == 1 and entries[0][0].startswith("$"):
        tag, content = entries[0]
        if tag == "$float":
            return float(content)
        if tag == "$timestamp":
            return Timestamp(content)
        if tag == "$bytes":
            return bytes.fromhex(content)
        if tag == "$map":
            entries = [(key, item) for key, item in content]
        else:
            raise ValueError(f"{tag} stands for no value")
    value = dict(entries)
    return value if len(value) == len(entries) else Pairs(entries)


def storm(value):
    """A value as Storm's JSON has it: no bytes, no NaN; a timestamp is an int anyhow."""
    value = plain(value)
    kind = type(value)
    if kind is bytes:
        return [byte - 256 if byte > 127 else byte for byte in value]
    if kind is float and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if kind is Timestamp:
        return int(value)
    if kind is list:
        return [storm(item) for item in value]
    if kind is Pairs:
        return {key: storm(item) for key, item in value}
    if kind is dict:
        return {key: storm(item) for key, item in value.items()}
    return value
