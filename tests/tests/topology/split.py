"""A bolt that splits sentences into words and fails those without letters, speaking Storm's multilang protocol with nothing but the standard library."""

import json
import os
import sys


def read():
    lines = []
    while True:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        if line.rstrip("\n") == "end":
            return json.loads("\n".join(lines))
        lines.append(line)


def send(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()


setup = read()
open(os.path.join(setup["pidDir"], str(os.getpid())), "w").close()
send({"pid": os.getpid()})
while True:
    message = read()
    if message["stream"] == "__heartbeat":
        send({"command": "sync"})
        continue
    if not any(letter.isalpha() for letter in message["tuple"][0]):
        send({"command": "fail", "id": message["id"]})
        continue
    for word in message["tuple"][0].split(" "):
        send({"command": "emit", "anchors": [message["id"]], "tuple": [word], "need_task_ids": False})
    send({"command": "ack", "id": message["id"]})
