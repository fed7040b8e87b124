"""What has been told of each thing: changes get a higher revision, what does not hold any more is taken back."""

from __future__ import annotations

from typing import Any, Generic, Literal, NamedTuple, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Change(NamedTuple, Generic[V]):
    """What must be told.

    Attributes:
        verb: ``opened`` for a thing not told before or taken back since, ``updated``, ``retracted``.
        revision: Rises with everything told of the thing.
        value: What holds now; of a retraction, what held.
        replaces: The revision that does not hold any more; ``None`` when nothing stood.
    """

    verb: Literal["opened", "updated", "retracted"]
    revision: int
    value: V
    replaces: int | None


class Restated(Generic[K, V]):
    """Retraction and restatement of values by key; the same value twice is told once.

    The state is bounded by ``expire``: what is older cannot be corrected any more.
    """

    def __init__(self) -> None:
        self._told: dict[K, tuple[int, int, V | None]] = {}  # time, revision, what holds

    def __len__(self) -> int:
        return len(self._told)

    def set(self, key: K, value: V | None, at_ns: int) -> Change[V] | None:
        """A thing's value, ``None`` when it turns out not to be; what must be told, if anything."""
        _, revision, held = self._told.get(key, (at_ns, -1, None))
        if held == value:
            return None
        self._told[key] = (at_ns, revision + 1, value)
        if value is None:
            assert held is not None
            return Change("retracted", revision + 1, held, revision)
        if held is None:
            return Change("opened", revision + 1, value, None)
        return Change("updated", revision + 1, value, revision)

    def expire(self, before_ns: int) -> int:
        """Forget what was last changed before an instant; how many that were."""
        old = [key for key, (at_ns, _, _) in self._told.items() if at_ns < before_ns]
        for key in old:
            del self._told[key]
        return len(old)

    def snapshot(self) -> dict[K, tuple[int, int, V | None]]:
        """A copy of the state; picklable when keys and values are."""
        return dict(self._told)

    def restore(self, state: dict[K, Any]) -> None:
        """Go on from ``snapshot``."""
        self._told = dict(state)
