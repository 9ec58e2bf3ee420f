"""Storm's JSON: one tuple a message."""

from collections import deque
from typing import NamedTuple

from .tuples import Source
from .values import storm


_AS_THEY_ARE = frozenset({type(None), bool, int, str})


class Batch:
    """The tuples of one message from one source: here it is one."""

    def __init__(self, ids, source: Source, values: list):
        self.ids = ids
        self.source = source
        self._values = values

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self):
        """The values of each tuple."""
        return [self._values]

    def record_batch(self, names):
        """The tuples as a `pyarrow.RecordBatch`."""
        from .arrow_channel import to_record_batch

        return to_record_batch([self._values], len(self.ids), names)


class Command(NamedTuple):
    """Anything else the engine says."""

    name: str
    ids: list = []


class JsonChannel:
    """What is said and heard, in JSON. What is said goes out at `flush`."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._commands = deque()
        self._task_ids = deque()

    def read(self):
        """The next `Batch` or `Command`."""
        while not self._commands:
            self._read_one()
        return self._commands.popleft()

    def _read_one(self) -> None:
        message = self._pipe.read_json()
        if isinstance(message, list):
            self._task_ids.append(message)
        elif "command" in message:
            self._commands.append(Command(message["command"], [message["id"]] if "id" in message else []))
        elif message["stream"] == "__heartbeat":
            self._commands.append(Command("heartbeat"))
        else:
            source = Source(message["comp"], message["stream"], message["task"])
            self._commands.append(Batch([message["id"]], source, message["tuple"]))

    def emit(self, values, stream, anchors=(), id=None, task=None, need_task_ids=False):
        """A tuple. The tasks it went to, if they are asked for."""
        need_task_ids = need_task_ids and task is None
        values = list(values)
        if not _AS_THEY_ARE.issuperset(map(type, values)):
            values = storm(values)
        message = {"command": "emit", "tuple": values, "need_task_ids": need_task_ids}
        if stream != "default":
            message["stream"] = stream
        if anchors:
            message["anchors"] = list(anchors)
        if id is not None:
            message["id"] = id
        if task is not None:
            message["task"] = task
        self._pipe.write_json(message)
        if not need_task_ids:
            return None
        self._pipe.flush()
        while not self._task_ids:
            self._read_one()
        return self._task_ids.popleft()

    def emit_batch(self, batch, stream, anchors) -> None:
        """Rows of a `pyarrow.RecordBatch`, each with its list of anchors, or without any."""
        from .arrow_channel import columns_of

        columns = columns_of(batch)
        for row in range(batch.num_rows):
            values = [column[row] for column in columns]
            self.emit(values, stream, anchors[row] if anchors else ())

    def ack(self, ids) -> None:
        for id in ids:
            self._pipe.write_json({"command": "ack", "id": id})

    def fail(self, ids) -> None:
        for id in ids:
            self._pipe.write_json({"command": "fail", "id": id})

    def say(self, command, **more) -> None:
        """A log line, an error, a metric or a sync, at once."""
        self._pipe.write_json({"command": command, **more}, unencodable="replace")
        self._pipe.flush()

    def is_due(self) -> bool:
        """Whether what was said should go out although there is more to come: a message is one tuple, so it always should soon."""
        return False

    def flush(self) -> list:
        """Sends what was said. Nothing can go wrong with it any more."""
        self._pipe.flush()
        return []
