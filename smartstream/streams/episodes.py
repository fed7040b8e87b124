"""Episodes of a condition over periods: opened, closed, and taken back when a period turns out otherwise."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Verb = Literal["opened", "closed"]


class Turn(NamedTuple):
    """A beginning or an end that must be told.

    Attributes:
        at: The period at which the condition began or ended.
        verb: Which of the two.
        revision: Rises each time this turn is told, taken back or told again.
        since: For an end, the period at which the episode began.
        holds: False: what was told at ``revision - 1`` does not hold any more.
    """

    at: int
    verb: Verb
    revision: int
    since: int
    holds: bool


class Episodes:
    """Follows one condition; periods without a value neither open nor close.

    What must be told follows from the values alone, so a corrected period gives the same standing turns as if it
    had been right from the start.

    Args:
        kept: Periods that may still be corrected, counted from the newest.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._values: dict[int, bool] = {}
        self._since: int | None = None  # beginning of the episode that was open before the oldest value
        self._told: dict[tuple[int, Verb], tuple[int, bool]] = {}  # revision, and whether it stands

    def set(self, period: int, value: bool) -> list[Turn]:  # noqa: FBT001  # the value itself
        """The condition of a period, new or corrected; what must be told now."""
        if self._values.get(period) is value:
            return []
        self._values[period] = value
        standing = self._derive()
        turns: list[Turn] = []
        for (at, verb), (revision, holds) in sorted(self._told.items()):
            if holds and (at, verb) not in standing:
                turns.append(Turn(at, verb, revision + 1, at, holds=False))
        for (at, verb), since in sorted(standing.items()):
            revision, holds = self._told.get((at, verb), (-1, False))
            if not holds:
                turns.append(Turn(at, verb, revision + 1, since, holds=True))
        for turn in turns:
            self._told[turn.at, turn.verb] = (turn.revision, turn.holds)
        self._forget(max(self._values) - self._kept)
        return turns

    def _derive(self) -> dict[tuple[int, Verb], int]:
        since = self._since
        turns: dict[tuple[int, Verb], int] = {}
        for period, value in sorted(self._values.items()):
            if value and since is None:
                since = period
                turns[period, "opened"] = period
            elif not value and since is not None:
                turns[period, "closed"] = since
                since = None
        return turns

    def _forget(self, before: int) -> None:
        for period in sorted(self._values):
            if period >= before:
                break
            value = self._values.pop(period)
            self._since = None if not value else self._since if self._since is not None else period
        for key in [key for key in self._told if key[0] < before]:
            del self._told[key]

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the state."""
        return dict(self._values), self._since, dict(self._told)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go on from ``snapshot``."""
        values, self._since, told = state
        self._values, self._told = dict(values), dict(told)
