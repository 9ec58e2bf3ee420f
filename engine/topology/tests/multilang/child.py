"""A multilang component for the tests, written from the protocol page. `child.py MODE`: see the functions at the end."""

import json
import os
import signal
import subprocess
import sys

stashed = []


def read():
    text = ""
    while True:
        line = sys.stdin.readline()
        if not line:
            sys.exit(2)
        if line == "end\n":
            return json.loads(text)
        text += line


def send(message):
    sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\nend\n")
    sys.stdout.flush()


def handshake(file_first=False):
    setup = read()
    path = os.path.join(setup["pidDir"], str(os.getpid()))
    if file_first:
        open(path, "w").close()
    send({"pid": os.getpid()})
    if not file_first:
        open(path, "w").close()
    return setup


def read_command():
    """The next command; heartbeats are answered."""
    while True:
        command = stashed.pop(0) if stashed else read()
        if isinstance(command, dict) and command.get("stream") == "__heartbeat":
            assert command["comp"] is None and command["task"] == -1 and command["tuple"] == []
            send({"command": "sync"})
        else:
            return command


def read_task_ids():
    while True:
        message = read()
        if isinstance(message, list):
            return message
        stashed.append(message)


def emit(values, anchors=(), **more):
    send({"command": "emit", "anchors": list(anchors), "tuple": values, "need_task_ids": False, **more})


def echo(file_first=False):
    """Emits each tuple again, and acks it."""
    handshake(file_first)
    while True:
        command = read_command()
        emit(command["tuple"], [command["id"]])
        send({"command": "ack", "id": command["id"]})


def echo_file_first():
    echo(file_first=True)


def setup():
    """Emits what it knows of the world."""
    said = handshake()
    emit([said, os.getcwd(), os.environ["MULTILANG_GIVEN"], os.environ["PATH"]])
    read_command()


def early():
    """Emits before it has been told anything, and waits for the task ids, as Storm's tester components do."""
    handshake()
    emit(["early"], need_task_ids=True)
    emit([read_task_ids()])
    read_command()


def ids():
    """For a tuple (n): n emits, each waiting for its task ids; then the ack."""
    handshake()
    while True:
        command = read_command()
        for number in range(command["tuple"][0]):
            emit([number], [command["id"]], need_task_ids=True)
            assert read_task_ids() == [number]
        send({"command": "ack", "id": command["id"]})


def late_reader():
    """For a tuple (n): n emits, and only then their task ids."""
    handshake()
    command = read_command()
    for number in range(command["tuple"][0]):
        emit([number], need_task_ids=True)
    for number in range(command["tuple"][0]):
        assert read_task_ids() == [number]
    send({"command": "ack", "id": command["id"]})
    read_command()


def spout():
    """Emits its number of the turn with an id that is no text; logs acks and fails."""
    handshake()
    turn = 0
    while True:
        command = read_command()
        if command["command"] == "next":
            turn += 1
            send({"command": "emit", "id": {"turn": turn}, "tuple": [turn]})
            read_task_ids()
        elif command["command"] in ("ack", "fail"):
            send({"command": "log", "msg": "%s %r" % (command["command"], command["id"]), "level": 3})
        else:
            send({"command": "log", "msg": command["command"], "level": 1})
        send({"command": "sync"})


def silent():
    """Never answers the handshake."""
    sys.stderr.write("thinking\n")
    sys.stderr.flush()
    read()
    read()


def printing():
    """Prints what is no message."""
    handshake()
    print("hello from print")
    send({"command": "sync"})
    read_command()


def partial():
    """Ends within a message."""
    handshake()
    sys.stderr.write("first line\nlast words\n")
    sys.stdout.write('{"command": "em')
    sys.stdout.flush()
    sys.exit(3)


def flood():
    """Writes 100 MiB of lines to standard error, and then 1 MiB without a newline."""
    handshake()
    block = b"0123456789abcde\n" * 65536
    for _ in range(100):
        os.write(2, block)
    os.write(2, b"x" * (1 << 20))
    send({"command": "sync"})
    read_command()


def unreading():
    """Reads nothing after the handshake."""
    handshake()
    while True:
        signal.pause()


def family(stubborn=False):
    """Starts a process that holds the pipe named by MULTILANG_PIPE open for writing, as does the component itself."""
    handshake()
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe = os.open(os.environ["MULTILANG_PIPE"], os.O_WRONLY)
    subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=pipe)
    send({"command": "sync"})
    while stubborn:
        signal.pause()
    read_command()


def family_stubborn():
    """The same, but nobody heeds SIGTERM or the end of the input."""
    family(stubborn=True)


def family_dying():
    """The same, but it ends by itself after a command."""
    family()
    sys.exit(4)


def runaway():
    """Ends, but leaves a process outside the group with the output open; says its number."""
    handshake()
    process = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, start_new_session=True)
    emit([process.pid])
    sys.exit(5)


globals()[sys.argv[1]]()
