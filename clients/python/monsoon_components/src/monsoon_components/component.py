"""What bolts and spouts have in common: the handshake, the log, errors."""

import os
import traceback
from typing import Any, Sequence

from .json_channel import JsonChannel
from .pipe import Pipe

_LEVELS = {"trace": 0, "debug": 1, "info": 2, "warn": 3, "warning": 3, "error": 4}


class Component:
    """A component. `conf` is the topology's configuration, `context` the task's place in it, as Storm's handshake has them."""

    speak_arrow = True
    """Whether to speak in batches of Arrow columns, if the engine can and pyarrow is there."""

    conf: dict
    context: dict

    def initialize(self, conf: dict, context: dict) -> None:
        """Called once, before anything else. An exception ends the program."""

    def run(self) -> None:
        """Serves the engine until it ends."""
        pipe = Pipe.guard()
        self._greet(pipe)
        try:
            self.initialize(self.conf, self.context)
        except Exception:
            self._report()
            raise
        self._report_all(self._channel.flush())
        while True:
            self._handle(self._channel.read())

    def log(self, message: Any, level: str = "info") -> None:
        """A line for the engine's log: trace, debug, info, warn or error."""
        self._channel.say("log", msg=str(message), level=_LEVELS.get(level, 2))

    def metric(self, name: str, params: Any) -> None:
        """A reading of a metric."""
        self._channel.say("metrics", name=name, params=params)

    def report_error(self, message: str) -> None:
        """An error to be shown as one of the component's."""
        self._channel.say("error", msg=message)

    def _greet(self, pipe: Pipe) -> None:
        setup = pipe.read_json()
        self.conf, self.context = setup["conf"], setup["context"]
        arrow = self._arrow_channel() if "arrow-1" in setup.get("dialects", ()) and self.speak_arrow else None
        open(os.path.join(setup["pidDir"], str(os.getpid())), "w").close()
        pipe.write_json({"pid": os.getpid(), **({"dialect": "arrow-1"} if arrow else {})})
        pipe.flush()
        self._channel = arrow(pipe) if arrow else JsonChannel(pipe)

    @staticmethod
    def _arrow_channel():
        try:
            from .arrow_channel import ArrowChannel
        except ImportError:
            return None
        return ArrowChannel

    def _report(self) -> None:
        """The exception that is being handled."""
        self.report_error(traceback.format_exc())

    def _report_all(self, errors: Sequence[Exception]) -> None:
        for error in errors:
            self.report_error("".join(traceback.format_exception(type(error), error, error.__traceback__)))
