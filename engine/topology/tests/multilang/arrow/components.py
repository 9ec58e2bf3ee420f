"""Components of the SDK for the tests. `components.py CLASS` runs one; with SPEAK=json it speaks JSON."""

import os
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc
from monsoon_components import BatchBolt, Bolt, Spout


class Forward(Bolt):
    def process(self, tup):
        self.emit(tup.values)


class ForwardBatch(BatchBolt):
    def process_batch(self, batch):
        self.emit_batch(batch)


class ForwardSome(BatchBolt):
    """Even numbers alone."""

    def process_batch(self, batch):
        even = pc.equal(pc.bit_wise_and(batch["value"], 1), 0)
        self.emit_batch(batch.filter(even), rows=pc.indices_nonzero(even))


class Sums(BatchBolt):
    """One tuple for each batch, anchored to all of it."""

    def process_batch(self, batch):
        self.emit([pc.sum(batch["value"]).as_py()])


class Wide(BatchBolt):
    """For each batch 1500 tuples, anchored to all of it."""

    def process_batch(self, batch):
        for number in range(1500):
            self.emit([number])


class Large(BatchBolt):
    """For each batch 60 MB, anchored to its first tuple."""

    def process_batch(self, batch):
        column = pa.array([bytes([number]) * 1_000_000 for number in range(60)], pa.binary())
        self.emit_batch(pa.record_batch([column], names=["bytes"]), rows=[0] * 60)


class FailSome(Bolt):
    """Fails every multiple of ten when it comes the first and the second time; the others are acked by themselves."""

    def initialize(self, conf, context):
        self.times = {}

    def process(self, tup):
        number = tup["number"]
        self.times[number] = self.times.get(number, 0) + 1
        if number % 10 == 0 and self.times[number] <= 2:
            return self.fail(tup)
        self.emit([number])


class FailSomeOfBatch(BatchBolt):
    """The same of a batch's rows."""

    def initialize(self, conf, context):
        self.times = {}

    def process_batch(self, batch):
        for place, number in enumerate(batch["number"].to_pylist()):
            self.times[number] = self.times.get(number, 0) + 1
            if number % 10 == 0 and self.times[number] <= 2:
                self.fail(self.ids[place])
            else:
                self.emit([number], anchors=[self.ids[place]])


class Sleepy(Bolt):
    def process(self, tup):
        time.sleep(0.01)


class Numbers(Spout):
    """200 numbers, again when they fail; some at a time."""

    def initialize(self, conf, context):
        self.waiting = list(range(200))

    def next_tuple(self):
        waiting, self.waiting = self.waiting[:7], self.waiting[7:]
        for number in waiting:
            self.emit([number], id={"number": number})

    def fail(self, id):
        self.waiting.append(id["number"])


class Raise(Bolt):
    """Raises at seven, the first time."""

    raised = False

    def process(self, tup):
        print("processing", tup)
        os.write(1, b"from below Python\n")
        if tup["value"] == 7 and not self.raised:
            self.raised = True
            raise ValueError("seven is not liked")
        if tup["value"] == 8 and self.raised is True:
            self.raised = 2
            self.emit([object()])
        self.emit([tup["value"]])


class SendBadly(Bolt):
    """Emits what is no value at seven, before a tuple that goes out at once, and at nine, where it is sent before nine is acked; the first times."""

    done = ()

    def process(self, tup):
        value = tup["value"]
        if value in (7, 9) and value not in self.done:
            self.done += (value,)
            self.emit([object()])
            if value == 9:
                self.flush()
        self.emit([value], need_task_ids=value == 8)


class RaiseBatch(BatchBolt):
    raised = False

    def process_batch(self, batch):
        if not self.raised:
            self.raised = True
            raise ValueError("batches are not liked")
        self.emit_batch(batch)


class Speaks(Bolt):
    """Emits what it speaks."""

    def process(self, tup):
        self.emit([type(self._channel).__name__])


class Direct(Bolt):
    """To one task, and to a named stream with the tasks it went to."""

    def initialize(self, conf, context):
        tasks = context["task->component"].items()
        self.tasks = sorted(int(task) for task, component in tasks if component == "sink")

    def process(self, tup):
        number = tup[0]
        self.emit([number, 0], stream="to_one", direct_task=self.tasks[number % len(self.tasks)])
        tasks = self.emit([number], stream="named", need_task_ids=True)
        assert len(tasks) == 1 and tasks[0] in self.tasks, tasks


class Ticked(Bolt):
    """Acks at the next tick, and emits how many there were, anchored to all."""

    auto_ack = False

    def initialize(self, conf, context):
        self.waiting = []

    def process(self, tup):
        self.waiting.append(tup)

    def process_tick(self, tup):
        self.emit([len(self.waiting)], anchors=self.waiting)
        for waiting in self.waiting:
            self.ack(waiting)
        self.waiting = []


class Slow(Bolt):
    """Takes longer over a batch than it may be silent."""

    auto_ack = False

    def process(self, tup):
        time.sleep(0.02)
        self.waiting = getattr(self, "waiting", [])
        self.waiting.append(tup)
        if len(self.waiting) == 100:
            for waiting in self.waiting:
                self.ack(waiting)


if __name__ == "__main__":
    component = globals()[sys.argv[1]]
    component.speak_arrow = os.environ.get("SPEAK") != "json"
    component().run()
