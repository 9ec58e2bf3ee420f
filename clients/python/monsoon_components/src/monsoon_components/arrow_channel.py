"""The Arrow dialect: batches of tuples in columns. Needs pyarrow."""

import json
import struct
import time
from collections import deque

import pyarrow as pa

from .json_channel import Command
from .tuples import Source
from .values import PLAIN, Timestamp, exact_dumps, exact_loads, plain

NAME = "arrow-1"

_EXACT = {b"monsoon.encoding": b"json"}
_TIMESTAMP = pa.timestamp("us", "UTC")
_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.utf8(), bytes: pa.binary()}
_LENGTHS = struct.Struct("<II")

ROWS_MAX = 4096
"""Emits that are gathered."""
GATHER_SECONDS_MAX = 0.05
"""How long they are gathered, while a batch is worked on."""
ANCHORS_MAX = 1 << 19
"""Anchors of one message; the engine takes twice as many."""
BODY_BYTES_MAX = 16 << 20
"""Bytes of one message's columns, about; the engine takes 64 MiB."""


def expand(ids):
    """The ids of a list in which a pair stands for a range."""
    if len(ids) == 1 and type(ids[0]) is list:
        return range(ids[0][0], ids[0][1] + 1)
    return [id for item in ids for id in (range(item[0], item[1] + 1) if type(item) is list else (item,))]


def compact(ids):
    """The list in which a pair stands for a range."""
    if isinstance(ids, range):
        return [[ids[0], ids[-1]]] if len(ids) > 1 else list(ids)
    ranges = []
    first = last = None
    for id in ids:
        if last is not None and id == last + 1:
            last = id
            continue
        if last is not None:
            ranges.append(first if first == last else [first, last])
        first = last = id
    if last is not None:
        ranges.append(first if first == last else [first, last])
    return ranges


def to_array(values):
    """A column of values, and the metadata of its field."""
    kinds = set(map(type, values))
    if not kinds <= PLAIN:
        values = [plain(value) for value in values]
        kinds = set(map(type, values))
    kinds.discard(type(None))
    if not kinds:
        return pa.nulls(len(values)), None
    if len(kinds) == 1:
        kind = next(iter(kinds))
        if kind is Timestamp:
            micros = [None if value is None else int(value) for value in values]
            return pa.array(micros, pa.int64()).cast(_TIMESTAMP), None
        if kind in _TYPES:
            return pa.array(values, _TYPES[kind]), None
    return pa.array([None if value is None else exact_dumps(value) for value in values], pa.utf8()), _EXACT


def to_record_batch(rows, count, names=None):
    """Rows of plain values as a batch; columns are numbered if there are no names for all of them."""
    arrays = [to_array(column) for column in zip(*rows)]
    if names is None or len(names) != len(arrays):
        names = [str(place) for place in range(len(arrays))]
    fields = [pa.field(name, array.type, metadata=metadata) for name, (array, metadata) in zip(names, arrays)]
    if not arrays:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * count, pa.struct([])))
    return pa.RecordBatch.from_arrays([array for array, _ in arrays], schema=pa.schema(fields))


_CASTS = {pa.int64(): "q", pa.float64(): "d"}


def to_list(array, metadata=None):
    """The values of a column."""
    if pa.types.is_timestamp(array.type):
        unit = array.type.unit
        values = to_list(array.cast(pa.int64()))
        factor = {"s": 1_000_000, "ms": 1000}.get(unit, 1)
        if unit == "ns":
            return [None if value is None else Timestamp(value // 1000) for value in values]
        return [None if value is None else Timestamp(value * factor) for value in values]
    if metadata and metadata.get(b"monsoon.encoding") == b"json":
        return [None if text is None else exact_loads(text) for text in array.to_pylist()]
    code = _CASTS.get(array.type)
    if code and array.null_count == 0:
        content = array.buffers()[1]
        if content is None:
            return []
        return memoryview(content).cast("b").cast(code)[array.offset : array.offset + len(array)].tolist()
    return array.to_pylist()


def columns_of(batch):
    """The values of each column."""
    return [to_list(array, field.metadata) for array, field in zip(batch.columns, batch.schema)]


class Batch:
    """The tuples of one message from one source."""

    def __init__(self, ids, source: Source, count: int, body: bytes):
        self.ids = ids
        self.source = source
        self._count = count
        self._body = body

    def __len__(self) -> int:
        return self._count

    def _read(self):
        with pa.ipc.open_stream(pa.py_buffer(self._body)) as stream:
            return stream.read_next_batch()

    def rows(self):
        """The values of each tuple."""
        return zip(*columns_of(self._read())) if self._body else [()] * self._count

    def record_batch(self, names):
        """The tuples as a `pyarrow.RecordBatch`."""
        if not self._body:
            return to_record_batch([], self._count)
        batch = self._read()
        if names is None or len(names) != batch.num_columns:
            return batch
        fields = [field.with_name(name) for field, name in zip(batch.schema, names)]
        return pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields))


class _Rows:
    """Emits of one stream that are gathered."""

    def __init__(self):
        self.rows = []
        self.anchors = []
        self.ids = []


class ArrowChannel:
    """What is said and heard, in Arrow. Emits and fates are gathered until `flush`."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._commands = deque()
        self._task_ids = deque()
        self._gathered = {}
        self._count = 0
        self._acked = []
        self._failed = []
        # Of emits that could not be sent, with their anchors.
        self._errors = []
        # Failed here because of such an emit: the engine doesn't have them any more, whatever the component says of them later.
        self._given_up = set()
        self._flushed_at = time.monotonic()

    def read(self):
        """The next `Batch` or `Command`."""
        while not self._commands:
            self._read_one()
        command = self._commands.popleft()
        if isinstance(command, Batch):
            # Goes out with the first answers: the engine has another batch on its way meanwhile.
            self._write({"command": "more"})
            self._flushed_at = time.monotonic()
        return command

    def _read_one(self) -> None:
        header_bytes, body_bytes = _LENGTHS.unpack(self._pipe.read_exactly(8))
        header = json.loads(self._pipe.read_exactly(header_bytes))
        body = self._pipe.read_exactly(body_bytes) if body_bytes else b""
        command = header["command"]
        if command == "tuples":
            source = Source(header["comp"], header["stream"], header["task"])
            self._commands.append(Batch(expand(header["ids"]), source, header["rows"], body))
        elif command == "task_ids":
            self._task_ids.append(header["tasks"])
        else:
            self._commands.append(Command(command, header.get("ids", [])))

    def emit(self, values, stream, anchors=(), id=None, task=None, need_task_ids=False):
        """A tuple. The tasks it went to, if they are asked for."""
        anchors = self._without_given_up(anchors)
        if task is not None or need_task_ids:
            return self._emit_alone(values, stream, anchors, id, task, need_task_ids)
        values = tuple(values)
        key = (stream, len(values))
        gathered = self._gathered.get(key)
        if gathered is None:
            gathered = self._gathered[key] = _Rows()
        gathered.rows.append(values)
        gathered.anchors.append(anchors)
        gathered.ids.append(id)
        self._count += 1
        return None

    def _emit_alone(self, values, stream, anchors, id, task, need_task_ids):
        self._errors += self._flush_emits()
        need_task_ids = need_task_ids and task is None
        more = {} if task is None else {"task": task}
        if need_task_ids:
            more["need_task_ids"] = True
        self._write_rows([tuple(values)], stream, [anchors], [id], **more)
        if not need_task_ids:
            return None
        self._pipe.flush()
        while not self._task_ids:
            self._read_one()
        return self._task_ids.popleft()

    def emit_batch(self, batch, stream, anchors) -> None:
        """Rows of a `pyarrow.RecordBatch`, each with its list of anchors, or without any."""
        self._errors += self._flush_emits()
        if self._given_up and anchors:
            each = isinstance(anchors, range)
            anchors = [self._without_given_up([ids] if each else ids) for ids in anchors]
        self._write_batch(batch, batch.num_rows, anchors or [], [], {"stream": stream})

    def ack(self, ids) -> None:
        self._acked.extend(self._settled(ids))

    def fail(self, ids) -> None:
        self._failed.extend(self._settled(ids))

    def _settled(self, ids):
        kept = self._without_given_up(ids)
        self._given_up.difference_update(ids)
        return kept

    def _without_given_up(self, ids):
        return [id for id in ids if id not in self._given_up] if self._given_up else ids

    def say(self, command, **more) -> None:
        """A log line, an error, a metric or a sync, at once."""
        self._write({"command": command, **more}, unencodable="replace")
        self._pipe.flush()

    def is_due(self) -> bool:
        """Whether what was said should go out although there is more to come."""
        return self._count >= ROWS_MAX or time.monotonic() - self._flushed_at >= GATHER_SECONDS_MAX

    def flush(self) -> list:
        """Sends what was said. The errors of emits whose values aren't any: the tuples they are anchored to are failed, not acked."""
        errors, self._errors = self._errors + self._flush_emits(), []
        failed = {id for _, anchors in errors for id in anchors}
        if failed:
            self._given_up |= failed.difference(self._acked, self._failed)
            self._acked = [id for id in self._acked if id not in failed]
            self._failed.extend(failed.difference(self._failed))
        for command, ids in (("ack", self._acked), ("fail", self._failed)):
            for start in range(0, len(ids), ANCHORS_MAX):
                self._write({"command": command, "ids": compact(ids[start : start + ANCHORS_MAX])})
        self._acked, self._failed = [], []
        self._pipe.flush()
        self._flushed_at = time.monotonic()
        return [error for error, _ in errors]

    def _flush_emits(self) -> list:
        errors = []
        gathered, self._gathered, self._count = self._gathered, {}, 0
        for (stream, _), emits in gathered.items():
            try:
                self._write_rows(emits.rows, stream, emits.anchors, emits.ids)
            except Exception:
                # Alone each tells whether it is the one.
                for row, anchors, id in zip(emits.rows, emits.anchors, emits.ids):
                    try:
                        self._write_rows([row], stream, [anchors], [id])
                    except Exception as error:
                        errors.append((error, anchors))
        return errors

    def _write_rows(self, rows, stream, anchors, ids, **more) -> None:
        anchors = anchors if any(anchors) else []
        ids = ids if any(id is not None for id in ids) else []
        self._write_batch(to_record_batch(rows, len(rows)), len(rows), anchors, ids, {"stream": stream, **more})

    def _write_batch(self, batch, rows, anchors, ids, header) -> None:
        """In halves, if it is too large."""
        is_wide = anchors and not isinstance(anchors, range) and sum(map(len, anchors)) > ANCHORS_MAX
        if rows > 1 and (batch.nbytes > BODY_BYTES_MAX or is_wide or rows > ANCHORS_MAX):
            half = rows // 2
            self._write_batch(batch[:half], half, anchors[:half], ids[:half], header)
            return self._write_batch(batch[half:], rows - half, anchors[half:], ids[half:], header)
        header = dict(header)
        if anchors:
            header.update(_anchors(anchors))
        if ids:
            header["ids"] = ids
        body = b""
        if batch.num_columns:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            body = sink.getvalue()
        self._write({"command": "emit", "rows": rows, **header}, body)

    def _write(self, header, body=b"", unencodable="strict") -> None:
        text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text = text.encode("utf-8", unencodable)
        self._pipe.writer.write(_LENGTHS.pack(len(text), len(body)))
        self._pipe.writer.write(text)
        self._pipe.writer.write(body)


def _anchors(anchors) -> dict:
    """As the header has them: one each if it is one each."""
    if isinstance(anchors, range):
        return {"each": compact(anchors)}
    if all(len(ids) == 1 for ids in anchors):
        return {"each": compact([ids[0] for ids in anchors])}
    return {"anchors": [compact(ids) for ids in anchors]}
