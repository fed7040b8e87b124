"""A sink that one worker of all processes holds."""

from __future__ import annotations

from typing import Final, TypeVar

from bytewax.outputs import FixedPartitionedSink

X = TypeVar("X")
S = TypeVar("S")
_PART: Final = "all"


class OnePartitionSink(FixedPartitionedSink[X, S]):
    """Takes ``(key, value)`` items of every key into one partition, whose state commits with each epoch."""

    def list_parts(self) -> list[str]:
        """The one partition; Bytewax gives it to one worker."""
        return [_PART]

    def part_fn(self, item_key: str) -> int:
        """Every key belongs to it."""
        return 0
