"""The two pipes to the engine, kept out of the component's way."""

import json
import os
import sys


class Pipe:
    """Bytes from and to the engine. After `guard()` nothing else reads them or gets in between."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    def guard(cls) -> "Pipe":
        """Takes standard input and output for itself. What the component, or a library in C, prints goes to standard error, which the engine
        logs; who reads standard input finds it empty."""
        sys.stdout.flush()
        reader = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
        writer = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        return cls(reader, writer)

    def read_json(self):
        """A message of Storm's: JSON, and a line `end`. The program ends when the engine has closed the pipe."""
        lines = []
        while True:
            line = self.reader.readline()
            if not line:
                sys.exit(0)
            if line.rstrip() == b"end":
                return json.loads(b"".join(lines))
            lines.append(line)

    def write_json(self, message, unencodable="strict") -> None:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        self.writer.write(text.encode("utf-8", unencodable) + b"\nend\n")

    def read_exactly(self, count: int) -> bytes:
        content = self.reader.read(count)
        if len(content) < count:
            sys.exit(0)
        return content

    def flush(self) -> None:
        self.writer.flush()
