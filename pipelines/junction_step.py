"""The step of a junction in the dataflow: hands items to its logic, and makes that when the first one arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bytewax.operators import StatefulBatchLogic

from pipelines.junction import JunctionLogic, JunctionSpec, Told
from smartstream.model.items import Joined


class Junctions:
    """Builds the step of a junction when its first item arrives; Bytewax does not say which key that is.

    Args:
        specs: Every junction of the site.
    """

    def __init__(self, specs: Iterable[JunctionSpec]) -> None:
        self._by_junction = {spec.junction: spec for spec in specs}
        self._by_side = {side: spec for spec in self._by_junction.values() for side in spec.sides}

    def __call__(self, resume: dict[str, Any] | None) -> JunctionStep:
        """A step, fresh or resumed."""
        if resume is None:
            return JunctionStep(lambda item: JunctionLogic(self._by_side[item.side]))
        logic = JunctionLogic(self._by_junction[resume["junction"]])
        logic.restore(resume)
        return JunctionStep(lambda _: logic, logic)


class JunctionStep(StatefulBatchLogic[Joined, Told, dict[str, Any]]):
    """The thin adapter between Bytewax and ``JunctionLogic``."""

    def __init__(self, build: Callable[[Joined], JunctionLogic], logic: JunctionLogic | None = None) -> None:
        self._build = build
        self._logic = logic

    def on_batch(self, values: list[Joined]) -> tuple[list[Told], bool]:
        """Hand the items on."""
        if self._logic is None:
            self._logic = self._build(values[0])
        return [*self._logic.take(values), *self._logic.facts()], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Told], bool]:
        """A stop is no end: what is open stays open for the resume."""
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> dict[str, Any]:
        """The junction's state; Bytewax only asks after a batch."""
        assert self._logic is not None
        return self._logic.snapshot()
