"""Bolts: tuple by tuple, and batch by batch."""

from typing import Any, List, Optional, Sequence, Union

from .component import Component
from .json_channel import Command
from .tuples import TICK, Source, Tup


class Bolt(Component):
    """A bolt that is given tuple by tuple. `process` is to be overridden.

    An exception in `process` is reported as an error of the component, the tuple is failed, and the bolt goes on with the next.
    """

    auto_anchor = True
    """What is emitted while a tuple is processed is anchored to it."""
    auto_ack = True
    """A tuple is acked after it has been processed, unless it has been acked or failed. Otherwise `ack` or `fail` is to be called, sooner or
    later."""

    _current: Sequence = ()

    def run(self) -> None:
        self._fields = {}
        # Acked or failed by the component while they are being worked on.
        self._settled = set()
        super().run()

    def process(self, tup: Tup) -> None:
        """Works on a tuple."""
        raise NotImplementedError

    def process_tick(self, tup: Tup) -> None:
        """Called at each tick, if the setting `tick_interval` asks for them. There is nothing to ack."""

    def emit(
        self,
        values: Sequence[Any],
        stream: str = "default",
        anchors: Optional[Sequence[Union[Tup, Any]]] = None,
        direct_task: Optional[int] = None,
        need_task_ids: bool = False,
    ) -> Optional[List[int]]:
        """Emits a tuple, anchored to tuples or their ids. The tasks it went to, if they are asked for, which is a wait."""
        if anchors is None:
            anchors = self._current if self.auto_anchor else ()
        else:
            anchors = [anchor.id if isinstance(anchor, Tup) else anchor for anchor in anchors]
        return self._channel.emit(values, stream, anchors, None, direct_task, need_task_ids)

    def ack(self, tup: Union[Tup, Any]) -> None:
        """The tuple is done. Goes to the engine with what is emitted, after it."""
        self._channel.ack([self._settle(tup)])

    def fail(self, tup: Union[Tup, Any]) -> None:
        """The tuple can't be done: its spout will emit it again."""
        self._channel.fail([self._settle(tup)])

    def _settle(self, tup):
        id = tup.id if isinstance(tup, Tup) else tup
        if id in self._current:
            self._settled.add(id)
        return id

    def flush(self) -> None:
        """Sends what has been emitted, acked and failed. Happens by itself after each batch, and every 50 ms within one."""
        self._report_all(self._channel.flush())

    def _handle(self, said) -> None:
        if isinstance(said, Command):
            if said.name == "heartbeat":
                self._channel.say("sync")
            return
        if said.source[:2] == TICK:
            self._tick(said)
        else:
            self._work(said)
        self.flush()

    def _tick(self, batch) -> None:
        for id, values in zip(batch.ids, batch.rows()):
            try:
                self.process_tick(Tup(id, batch.source, values, {}))
            except Exception:
                self._report()
        self._channel.ack(batch.ids)

    def _work(self, batch) -> None:
        source, channel, process, auto_ack = batch.source, self._channel, self.process, self.auto_ack
        fields = self._fields_of(source)
        for id, values in zip(batch.ids, batch.rows()):
            self._current = (id,)
            try:
                process(Tup(id, source, values, fields))
            except Exception:
                self._report()
                channel.fail(self._unsettled())
            else:
                if auto_ack:
                    channel.ack(self._unsettled() if self._settled else (id,))
            if self._settled:
                self._settled.clear()
            if channel.is_due():
                self.flush()
                # A sign of life, should there have been nothing else: heartbeats are answered between batches.
                channel.say("sync")
        self._current = ()

    def _unsettled(self) -> Sequence:
        """What is being worked on, less what has been acked and failed of it."""
        if not self._settled:
            return self._current
        settled, self._settled = self._settled, set()
        return [id for id in self._current if id not in settled]

    def _fields_of(self, source: Source) -> dict:
        """The places of a stream's fields."""
        key = source[:2]
        if key not in self._fields:
            names = self.context.get("source->stream->fields", {}).get(source.component, {}).get(source.stream, [])
            self._fields[key] = {name: place for place, name in enumerate(names)}
        return self._fields[key]


class BatchBolt(Bolt):
    """A bolt that is given batches: what has come since the last one, of one source. `process_batch` is to be overridden. Needs pyarrow.

    An exception in `process_batch` is reported, and all tuples of the batch are failed. Under an engine that speaks JSON alone a batch is one
    tuple.
    """

    source: Source
    """Where the tuples of the batch come from."""
    ids: Sequence
    """Their ids, which `ack` and `fail` take."""

    def run(self) -> None:
        import pyarrow  # noqa: F401  Without it the program ends here, which tells why.

        super().run()

    def process_batch(self, batch) -> None:
        """Works on a `pyarrow.RecordBatch`, whose columns are named as the stream's fields are. A column whose values are of several kinds is
        text, marked so in its field's metadata; `monsoon_components.arrow_channel.to_list` reads it."""
        raise NotImplementedError

    def emit_batch(self, batch, stream: str = "default", rows: Optional[Sequence[Any]] = None) -> None:
        """Emits a `pyarrow.RecordBatch`. Each of its rows is anchored to the tuple it comes from: to the one in the same row of the batch that
        is being worked on, or to those that `rows` says: for each row the place of one, or a list of them."""
        anchors = None
        if self.auto_anchor:
            anchors = self._anchors(batch.num_rows, rows)
        self._channel.emit_batch(batch, stream, anchors)

    def _anchors(self, count: int, rows):
        ids = self.ids
        if rows is None:
            if count != len(ids):
                raise ValueError(f"{count} rows are emitted of a batch of {len(ids)}: `rows` must say which comes from which")
            return ids if isinstance(ids, range) else [(id,) for id in ids]
        rows = rows.to_pylist() if hasattr(rows, "to_pylist") else list(rows)
        if count != len(rows):
            raise ValueError(f"{count} rows are emitted, and `rows` is about {len(rows)}")
        return [[ids[place] for place in row] if isinstance(row, (list, tuple, range)) else (ids[row],) for row in rows]

    def _work(self, batch) -> None:
        self.ids, self.source = batch.ids, batch.source
        self._current = self.ids
        try:
            self.process_batch(batch.record_batch(list(self._fields_of(batch.source))))
        except Exception:
            self._report()
            self._channel.fail(self._unsettled())
        else:
            if self.auto_ack:
                self._channel.ack(self._unsettled())
        self._settled.clear()
        self._current = ()
