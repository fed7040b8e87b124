"""The step of a junction in the dataflow: hands items to its logic, and makes that when the first one arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipelines.junction import JunctionLogic, JunctionSpec, Told
from pipelines.step import Step
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


class JunctionStep(Step[Joined, Told]):
    """The thin adapter between Bytewax and ``JunctionLogic``."""

    def __init__(self, build: Callable[[Joined], JunctionLogic], logic: JunctionLogic | None = None) -> None:
        self._build = build
        self._logic = logic

    def take(self, values: list[Joined]) -> list[Told]:
        """Hand the items on."""
        if self._logic is None:
            self._logic = self._build(values[0])
        return [*self._logic.take(values), *self._logic.facts()]

    def snapshot(self) -> dict[str, Any]:
        """The junction's state; Bytewax only asks after a batch."""
        assert self._logic is not None
        return self._logic.snapshot()
