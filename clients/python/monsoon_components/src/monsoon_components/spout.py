"""Spouts."""

from typing import Any, List, Optional, Sequence

from .component import Component


class Spout(Component):
    """A spout. `next_tuple` is to be overridden; with ids for what is emitted, `ack` and `fail` too.

    An exception is reported as an error of the component, and the spout goes on.
    """

    def next_tuple(self) -> None:
        """Emits what there is to emit: nothing, one tuple, or some, which go together. Must not wait for long: acks wait meanwhile."""
        raise NotImplementedError

    def ack(self, id: Any) -> None:
        """The tuple emitted with this id is done."""

    def fail(self, id: Any) -> None:
        """The tuple emitted with this id has failed or has taken too long: to be emitted again."""

    def activate(self) -> None:
        """The spout will be asked for tuples from now on."""

    def deactivate(self) -> None:
        """The spout won't be asked for tuples until it is activated again."""

    def emit(
        self,
        values: Sequence[Any],
        id: Any = None,
        stream: str = "default",
        direct_task: Optional[int] = None,
        need_task_ids: bool = False,
    ) -> Optional[List[int]]:
        """Emits a tuple. With an id, anything JSON has, its fate is told. The tasks it went to, if they are asked for, which is a wait."""
        return self._channel.emit(values, stream, (), id, direct_task, need_task_ids)

    def _handle(self, command) -> None:
        if command.name == "next":
            self._call(self.next_tuple)
        elif command.name == "ack":
            for id in command.ids:
                self._call(self.ack, id)
        elif command.name == "fail":
            for id in command.ids:
                self._call(self.fail, id)
        elif command.name in ("activate", "deactivate"):
            self._call(getattr(self, command.name))
        self._report_all(self._channel.flush())
        self._channel.say("sync")

    def _call(self, method, *arguments) -> None:
        try:
            method(*arguments)
        except Exception:
            self._report()
