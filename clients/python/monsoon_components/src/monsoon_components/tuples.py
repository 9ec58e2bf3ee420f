"""Tuples as a bolt is given them."""

from typing import Any, NamedTuple, Sequence, Union

TICK = ("__system", "__tick")


class Source(NamedTuple):
    """Where tuples come from."""

    component: str
    stream: str
    task: int


class Tup:
    """A tuple. `tup["word"]` is the value of a field, `tup[0]` that of the first, `tup.values` are all."""

    __slots__ = ("id", "source", "values", "fields")

    def __init__(self, id, source: Source, values: Sequence[Any], fields: dict):
        self.id = id
        self.source = source
        self.values = values
        self.fields = fields

    @property
    def component(self) -> str:
        return self.source.component

    @property
    def stream(self) -> str:
        return self.source.stream

    @property
    def task(self) -> int:
        return self.source.task

    def __getitem__(self, field: Union[int, str]) -> Any:
        if isinstance(field, str):
            if field not in self.fields:
                raise KeyError(f"there is no field {field!r} among {list(self.fields)}")
            field = self.fields[field]
        return self.values[field]

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Tup({self.id!r}, {self.source}, {list(self.values)!r})"
