"""What the steps of a run have in common: none of them ends before the run does."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

from bytewax.operators import StatefulBatchLogic

X = TypeVar("X")
Y = TypeVar("Y")


class Step(StatefulBatchLogic[X, Y, dict[str, Any]]):
    """A step of the dataflow that is kept as long as the run lasts.

    The end of its input may be a stop, and what is open then stays open for the resume.
    """

    @abstractmethod
    def take(self, values: list[X]) -> list[Y]:
        """Take what arrived; what follows from it."""

    def on_batch(self, values: list[X]) -> tuple[list[Y], bool]:
        """As ``take``."""
        return self.take(values), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Y], bool]:
        """A stop is no end."""
        return [], StatefulBatchLogic.RETAIN
