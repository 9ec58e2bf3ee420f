"""Components for the tests of shell bolts and spouts, in the manner of Storm's storm.py. `shell.py MODE [ARGUMENT...]`: see COMPONENTS."""

import json
import os
import random
import sys
import time
import uuid

commands = []
task_ids = []


def read():
    text = ""
    while True:
        line = sys.stdin.readline()
        if not line:
            sys.exit(2)
        if line == "end\n":
            return json.loads(text)
        text += line


def read_task_ids():
    while not task_ids:
        message = read()
        (task_ids if isinstance(message, list) else commands).append(message)
    return task_ids.pop(0)


def read_command():
    while not commands:
        message = read()
        (task_ids if isinstance(message, list) else commands).append(message)
    return commands.pop(0)


def send(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()


def handshake():
    setup = read()
    send({"pid": os.getpid()})
    open(os.path.join(setup["pidDir"], str(os.getpid())), "w").close()
    return setup


def emit(values, **more):
    """Waits for the task ids, as storm.py always does; not so for a direct emit."""
    send({"command": "emit", "tuple": values, **more})
    return None if "task" in more else read_task_ids()


def ack(tup):
    send({"command": "ack", "id": tup["id"]})


def bolt(process, initialize=lambda setup: None):
    initialize(handshake())
    while True:
        tup = read_command()
        if tup["stream"] == "__heartbeat":
            send({"command": "sync"})
        else:
            process(tup)


def spout(next_tuple, on_command=lambda command: None, initialize=lambda setup: None):
    initialize(handshake())
    while True:
        command = read_command()
        if command["command"] == "next":
            next_tuple()
        else:
            on_command(command)
        send({"command": "sync"})


def is_first(marker):
    """Whether no child has been here before."""
    first = not os.path.exists(marker)
    open(marker, "a").close()
    return first


def split():
    def process(tup):
        for word in tup["tuple"][0].split(" "):
            emit([word], anchors=[tup["id"]])
        ack(tup)

    bolt(process)


def forward():
    def process(tup):
        send({"command": "emit", "anchors": [tup["id"]], "tuple": tup["tuple"], "need_task_ids": False})
        ack(tup)

    bolt(process)


def hold():
    """Answers heartbeats, and never acks."""
    bolt(lambda tup: None)


def picky():
    def process(tup):
        if tup["tuple"][0] == "bad":
            send({"command": "fail", "id": tup["id"]})
        else:
            ack(tup)

    bolt(process)


WORDS = ["nathan", "mike", "jackson", "golda", "bertels人"]


def tester_spout(count):
    pending = {}
    left = [int(count)]

    def next_tuple():
        if left[0] > 0:
            left[0] -= 1
            word, name = random.choice(WORDS), str(uuid.uuid4())
            pending[name] = word
            emit([word], id=name)
        elif not pending and left[0] == 0:
            left[0] = -1
            emit(["all acked"])

    def on_command(command):
        if command["command"] == "ack":
            del pending[command["id"]]
        elif command["command"] == "fail":
            emit([pending[command["id"]]], id=command["id"])

    spout(next_tuple, on_command, lambda setup: emit(["spout initializing"]))


def tester_bolt():
    chance = random.Random(7)

    def process(tup):
        emit([tup["tuple"][0] + "lalala"], anchors=[tup["id"]])
        if chance.random() < 0.75:
            ack(tup)
        else:
            send({"command": "log", "msg": "skipping " + tup["tuple"][0]})

    bolt(process, lambda setup: emit(["bolt initializing"]))


def slow(seconds):
    def process(tup):
        time.sleep(float(seconds))
        ack(tup)

    bolt(process)


def flood(count):
    def process(tup):
        for number in range(int(count)):
            assert len(emit([number], anchors=[tup["id"]])) == 1
        ack(tup)

    bolt(process)


def direct():
    tasks = {}

    def initialize(setup):
        for task, component in setup["context"]["task->component"].items():
            tasks.setdefault(component, []).append(int(task))

    def process(tup):
        number = tup["tuple"][0]
        target = tasks["sink"][number % len(tasks["sink"])]
        emit([number, target], anchors=[tup["id"]], stream="to_one", task=target)
        emit([number], anchors=tup["id"], stream="named")
        ack(tup)

    bolt(process, initialize)


def ticked():
    """Acks what it has been given at the next tick, and never a tick."""
    waiting = []

    def process(tup):
        if (tup["comp"], tup["stream"], tup["task"]) != ("__system", "__tick", -1):
            return waiting.append(tup)
        emit([len(waiting)], anchors=[tup["id"]] + [tup["id"] for tup in waiting])
        while waiting:
            ack(waiting.pop())

    bolt(process)


def faulty(fault, marker):
    """The first child has a fault, the others pass on what they get."""

    def process(tup):
        if is_first(marker):
            if fault == "hang":
                time.sleep(1000)
            elif fault == "print":
                print("debug: got", tup)
                sys.stdout.flush()
            elif fault == "unknown_ack":
                send({"command": "ack", "id": "4711"})
            elif fault == "unknown_anchor":
                emit(tup["tuple"], anchors=["4711"])
            elif fault == "arity":
                emit(["one", "too many"], anchors=[tup["id"]])
            elif fault == "raise":
                raise ValueError("a bug in the component")
        emit(tup["tuple"], anchors=[tup["id"]])
        ack(tup)

    bolt(process)


def mute(marker):
    """The first child never sends its pid."""
    if is_first(marker):
        time.sleep(1000)
    forward()


def setup():
    """Emits the handshake."""

    def process(tup):
        emit([json.dumps(told[0])], anchors=[tup["id"]])
        ack(tup)

    told = []
    bolt(process, told.append)


def counter(fault, marker):
    """A spout of numbers with ids that keeps what it is told in a file beside the marker; the first child has a fault at number 50."""
    first = is_first(marker)
    numbers = iter(range(0 if first else 100, 100 if first else 200))
    told = open(marker + ".told", "a")

    def next_tuple():
        number = next(numbers, None)
        if first and number == 50:
            if fault == "hang":
                time.sleep(1000)
            elif fault == "unknown":
                send({"command": "dance"})
            elif fault == "exit":
                sys.exit(3)
        if number is not None:
            emit([number], id=number)

    def on_command(command):
        told.write(json.dumps([first, command["command"], command.get("id")]) + "\n")
        told.flush()

    spout(next_tuple, on_command)


COMPONENTS = [split, forward, hold, picky, tester_spout, tester_bolt, slow, flood, direct, ticked, faulty, mute, setup, counter]

if __name__ == "__main__":
    {component.__name__: component for component in COMPONENTS}[sys.argv[1]](*sys.argv[2:])
