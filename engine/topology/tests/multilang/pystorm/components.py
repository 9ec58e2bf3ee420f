"""Components of pystorm for the tests. `components.py CLASS` runs one, as `streamparse_run components.CLASS` does."""

import os
import sys
import time

from pystorm import BatchingBolt, Bolt, ReliableSpout, Spout, TicklessBatchingBolt


class Sentences(Spout):
    """300 sentences, unreliably."""

    def initialize(self, conf, context):
        self.left = 300

    def next_tuple(self):
        if self.left > 0:
            self.left -= 1
            self.emit(["to be or not to be"])


class Numbers(ReliableSpout):
    """200 numbers."""

    def initialize(self, conf, context):
        self.next = 0

    def next_tuple(self):
        if self.next < 200:
            self.emit([self.next], tup_id=self.next)
            self.next += 1


class Split(Bolt):
    def process(self, tup):
        assert tup.component == "source"
        for word in tup.values.sentence.split():
            self.emit([word], need_task_ids=True)


class Forward(Bolt):
    def process(self, tup):
        self.emit(list(tup.values))


class FailSome(Bolt):
    """Fails every multiple of ten when it comes the first and the second time."""

    auto_ack = False

    def initialize(self, conf, context):
        self.times = {}

    def process(self, tup):
        number = tup.values[0]
        self.times[number] = self.times.get(number, 0) + 1
        if number % 10 == 0 and self.times[number] <= 2:
            return self.fail(tup)
        self.emit([number])
        self.ack(tup)


class Raise(Bolt):
    """Raises once, in its first life."""

    def process(self, tup):
        marker = os.environ["MARKER"]
        if tup.values[0] == 7 and not os.path.exists(marker):
            open(marker, "w").close()
            raise ValueError("seven is not liked")
        self.emit([tup.values[0]])


class CountBatch(BatchingBolt):
    ticks_between_batches = 1

    def group_key(self, tup):
        return tup.values[0]

    def process_batch(self, key, tups):
        self.emit([key, len(tups)])


class CountBatchTickless(TicklessBatchingBolt):
    secs_between_batches = 0.1

    def group_key(self, tup):
        return tup.values[0]

    def process_batch(self, key, tups):
        self.emit([key, len(tups)])


class Busy(Bolt):
    """Is busy for longer than it may be, in its first life, and answers no heartbeat meanwhile."""

    def process(self, tup):
        marker = os.environ["MARKER"]
        if not os.path.exists(marker):
            open(marker, "w").close()
            time.sleep(1000)
        self.emit([tup.values[0]])


if __name__ == "__main__":
    globals()[sys.argv[1]]().run()
