"""A line that is dated ahead of its feed waits until another one has come as far.

Nobody reports what happens tomorrow, yet telephones and clerks say so. Such a line must not move the feed's clock, or
every honest line until tomorrow would be late. What one line says of the time another bears out by having come as far;
the log of a live feed does, which knows when it took the line. The decision reads nothing but the feed, hence a replay
decides alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from smartstream.model.time import MAX_NS

T = TypeVar("T")
_LINES: Final = 64  # that speak against a line, of which none has come as far: its clock was wrong


class AheadGuard(Generic[T]):
    """Passes items on, holding back those that are dated ahead, ``_LINES`` at most.

    Args:
        step_ns: What is further ahead than this waits.
        jump_ns: What is further ahead than this needs another line even where nothing speaks against it.
        lateness_ns: How far behind a line another one may lie and still have come as far.
        voice: Who says an item; one clock each.
        state: What ``snapshot`` returned.
    """

    def __init__(
        self,
        *,
        step_ns: int,
        jump_ns: int,
        lateness_ns: int,
        voice: Callable[[T], str],
        state: dict[str, Any] | None = None,
    ) -> None:
        known = state or {}
        self._step, self._jump = max(step_ns, lateness_ns), jump_ns
        self._lateness, self._voice = lateness_ns, voice
        self.last_ns: int | None = known.get("last_ns")
        self.held: list[tuple[int, T]] = list(known.get("held", ()))
        self._against: int = known.get("against", 0)  # lines that speak against those that are held
        self._voices: list[str] = list(known.get("voices", ()))  # the first two: more than one is all that counts
        self._doubted: list[str] = list(known.get("doubted", ()))  # voices whose lines were refused last

    def push(self, at_ns: int, item: T, told_ns: int = MAX_NS) -> Iterator[tuple[bool, int, T]]:
        """Take one item; yield (believed, its time, item) for every item that is decided now.

        Args:
            at_ns: Its time.
            item: What it is.
            told_ns: When it was told; ``MAX_NS`` where nobody knows.
        """
        if not self.held and self._is_near(at_ns):  # as nearly all do
            yield self._believe(at_ns, item)
            return
        others = [] if self._is_near(at_ns) else [one for one in self.held if self._is_another(one, at_ns, item)]
        reached = [one for one in others if one[0] <= at_ns + self._lateness]
        self.held = [one for one in self.held if one not in reached]
        for one in reached:
            yield self._believe(*one)
        as_far = any(held_ns >= at_ns - self._lateness for held_ns, _ in others)
        if as_far or self._is_near(at_ns) or abs(told_ns - at_ns) <= self._step:
            yield self._believe(at_ns, item)
            yield from self._weigh()
        else:
            self._against = max(self._against, at_ns > told_ns) if self.held else int(at_ns > told_ns)
            self.held.append((at_ns, item))
            if len(self.held) > _LINES:
                yield self._refuse(*self.held.pop(0))

    def pause(self) -> Iterator[tuple[bool, int, T]]:
        """The feed is silent: what is held stands if nothing speaks against it, and waits where it is far away."""
        if not self._against and not self._is_far():
            yield from self._release()

    def end(self) -> Iterator[tuple[bool, int, T]]:
        """The feed has ended: what is held stands unless it is far away, for lines may be late as well as ahead."""
        if not self._is_far():
            yield from self._release()
        yield from self._drop()

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {
            "last_ns": self.last_ns,
            "held": list(self.held),
            "against": self._against,
            "voices": list(self._voices),
            "doubted": list(self._doubted),
        }

    def _is_near(self, at_ns: int) -> bool:
        return self.last_ns is not None and at_ns <= self.last_ns + self._step

    def _is_far(self) -> bool:
        newest = max((at_ns for at_ns, _ in self.held), default=0)
        return self.last_ns is not None and newest - self.last_ns > self._jump

    def _is_another(self, one: tuple[int, T], at_ns: int, item: T) -> bool:
        """Whether a line bears another out.

        No repetition does; and nobody himself once he was contradicted, or where others have been heard, unless he
        speaks alone for so long that they must be dead.
        """
        voice = self._voice(item)
        if self._voice(one[1]) != voice:
            return True
        alone = len(self._voices) < 2 or len(self.held) >= _LINES
        return one[0] != at_ns and alone and not self._against and voice not in self._doubted

    def _weigh(self) -> Iterator[tuple[bool, int, T]]:
        """What is held, after a line that has not come as far."""
        near = [one for one in self.held if self._is_near(one[0])]
        self.held = [one for one in self.held if one not in near]
        for one in near:
            yield self._believe(*one)
        self._against = self._against + 1 if self.held else 0
        if self._against > _LINES:
            yield from self._drop()

    def _believe(self, at_ns: int, item: T) -> tuple[bool, int, T]:
        self.last_ns = at_ns if self.last_ns is None else max(self.last_ns, at_ns)
        if self._doubted or len(self._voices) < 2:
            self._hear(self._voice(item))
        return True, at_ns, item

    def _hear(self, voice: str) -> None:
        if voice in self._doubted:
            self._doubted.remove(voice)
        if len(self._voices) < 2 and voice not in self._voices:
            self._voices.append(voice)

    def _release(self) -> Iterator[tuple[bool, int, T]]:
        decided, self.held = self.held, []
        for one in decided:
            yield self._believe(*one)

    def _drop(self) -> Iterator[tuple[bool, int, T]]:
        decided, self.held = self.held, []
        for one in decided:
            yield self._refuse(*one)

    def _refuse(self, at_ns: int, item: T) -> tuple[bool, int, T]:
        if (voice := self._voice(item)) not in self._doubted:
            self._doubted = [*self._doubted[1 - _LINES :], voice]
        return False, at_ns, item
