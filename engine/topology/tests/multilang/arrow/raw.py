"""A bolt that speaks the Arrow dialect by hand. `raw.py FAULT MARKER`: the first child has a fault, the others pass on what they get, in JSON.

The faults are the functions below; each is given the header and the body of a batch of tuples.
"""

import json
import os
import struct
import sys
import time

import pyarrow as pa


def send(message):
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\nend\n")
    sys.stdout.buffer.flush()


def read():
    lines = []
    while (line := sys.stdin.buffer.readline()) != b"end\n":
        if not line:
            sys.exit(0)
        lines.append(line)
    return json.loads(b"".join(lines))


def write(header, body=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    raw(struct.pack("<II", len(text), len(body)) + text + body)


def raw(content):
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def read_batch():
    while True:
        lengths = sys.stdin.buffer.read(8)
        if not lengths:
            sys.exit(0)
        header_bytes, body_bytes = struct.unpack("<II", lengths)
        header = json.loads(sys.stdin.buffer.read(header_bytes))
        body = sys.stdin.buffer.read(body_bytes)
        if header["command"] == "tuples":
            return header, body
        write({"command": "sync"})


def column(array, **options):
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([array], names=["value"])
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


def emit(body, rows=1, **more):
    write({"command": "emit", "rows": rows, **more}, body)


def prints(header, body):
    raw(b"debug: got a batch\n")


def cut(header, body):
    raw(struct.pack("<II", 100, 0) + b'{"command": "em')
    sys.exit(3)


def long(header, body):
    raw(struct.pack("<II", 100, 1 << 30))


def no_json(header, body):
    write(b"hello")


def a_list(header, body):
    write(b'["ack"]')


def no_batch(header, body):
    emit(b"\xff" * 64)


def cut_batch(header, body):
    emit(column(pa.array([1]))[:-40])


def rows(header, body):
    emit(column(pa.array([1, 2])), rows=3)


def no_columns_expected(header, body):
    emit(b"", rows=1)


def wrong_type(header, body):
    emit(column(pa.array([[1]])))


def dictionary(header, body):
    emit(column(pa.array(["a"]).dictionary_encode()))


def compressed(header, body):
    emit(column(pa.array(list(range(1000))), compression="lz4"), rows=1000)


def large_integer(header, body):
    emit(column(pa.array([1 << 63], pa.uint64())))


def unknown_ack(header, body):
    write({"command": "ack", "ids": [[4711, 4712]]})


def unknown_anchor(header, body):
    emit(column(pa.array([1])), each=[4711])


def endless_range(header, body):
    write({"command": "fail", "ids": [[1, 1 << 62]]})


def too_few_anchors(header, body):
    emit(column(pa.array([1, 2])), rows=2, each=header["ids"][:0])


def both_anchors(header, body):
    emit(column(pa.array([1])), each=[1], anchors=[[1]])


def body_of_an_ack(header, body):
    write({"command": "ack", "ids": []}, b"xyz")


def bad_text(header, body):
    text = column(pa.array(["a very long text"])).replace(b"a very long text", b"\xff" * 16)
    emit(text)


def exits(header, body):
    print("last words", file=sys.stderr)
    sys.exit(4)


def hangs(header, body):
    time.sleep(1000)


def bare_ack(header, body):
    write({"command": "ack"})


def main(fault, marker):
    is_first = not os.path.exists(marker)
    open(marker, "a").close()
    setup = read()
    assert setup["dialects"] == ["arrow-1"]
    open(os.path.join(setup["pidDir"], str(os.getpid())), "w").close()
    if is_first and fault == "unknown_dialect":
        send({"pid": os.getpid(), "dialect": "arrow-2"})
    elif is_first and fault == "late_dialect":
        send({"command": "log", "msg": "hello"})
        send({"pid": os.getpid(), "dialect": "arrow-1"})
    elif is_first:
        send({"pid": os.getpid(), "dialect": "arrow-1"})
        globals()[fault](*read_batch())
    else:
        send({"pid": os.getpid()})
    while not is_first:
        tup = read()
        if tup["stream"] == "__heartbeat":
            send({"command": "sync"})
        else:
            send({"command": "emit", "anchors": [tup["id"]], "tuple": tup["tuple"], "need_task_ids": False})
            send({"command": "ack", "id": tup["id"]})
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
