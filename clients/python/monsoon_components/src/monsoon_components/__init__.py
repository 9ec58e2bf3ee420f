"""Spouts and bolts in Python. `Bolt`, `BatchBolt` and `Spout` are to be derived from; `run()` serves an engine on standard input and output.

Engine and component speak in batches of Arrow columns where both can, and Storm's JSON otherwise: see docs/multilang-arrow.md.
"""

from .bolt import BatchBolt, Bolt
from .spout import Spout
from .tuples import Source, Tup
from .values import Pairs, Timestamp

__all__ = ["BatchBolt", "Bolt", "Pairs", "Source", "Spout", "Timestamp", "Tup"]
