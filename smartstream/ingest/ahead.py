"""A line that is dated ahead of its feed waits until another one has come as far.

Nobody reports what happens tomorrow, yet telephones and clerks say so. Such a line must not move the feed's clock, or
every honest line until tomorrow would be late. It is believed

- once another line bears it out by having come as far, or the clock of the feed has,
- if the log of a live feed says that it took it then,
- when the feed is silent or ends, and nothing has spoken against it.

It is refused when ``_LINES`` lines have spoken against it, when as many wait behind it, or when the feed ends far from
it. The decision reads nothing but the feed, hence a replay decides alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

from smartstream.model.time import MAX_NS

T = TypeVar("T")
_LINES: Final = 64
"""Lines that wait at most; and lines that speak against those that wait, until their clock was wrong."""


class AheadGuard(Generic[T]):
    """Passes items on, holding back those that are dated ahead, ``_LINES`` at most.

    Args:
        step_ns: What is further ahead than this waits.
        jump_ns: What is further ahead than this needs another line even where nothing speaks against it.
        lateness_ns: How far behind a line another one may lie and still have come as far.
        voice: Who says an item; one clock each.
        told: When the item that is pushed was told; ``MAX_NS`` where nobody knows.
        state: What ``snapshot`` returned.
    """

    def __init__(
        self,
        *,
        step_ns: int,
        jump_ns: int,
        lateness_ns: int,
        voice: Callable[[T], str],
        told: Callable[[], int] = lambda: MAX_NS,
        state: dict[str, Any] | None = None,
    ) -> None:
        known = state or {}
        self._step, self._jump, self._lateness = max(step_ns, lateness_ns), jump_ns, lateness_ns
        self._voice, self._told = voice, told
        self.last_ns: int | None = known.get("last_ns")
        self.held: list[tuple[int, T]] = list(known.get("held", ()))
        self._against: int = known.get("against", 0)  # lines, or the log, that speak against what is held
        self._voices = _Voices(known.get("voices", ()), known.get("doubted", ()))

    def push(self, at_ns: int, item: T) -> Iterator[tuple[bool, int, T]]:
        """Take one item; yield (believed, its time, item) for every item that is decided now."""
        if not self._is_near(at_ns):
            others = [one for one in self.held if self._is_another(one, at_ns, item)]
            reached = [one for one in others if one[0] <= at_ns + self._lateness]
            yield from map(self._believe, self._free(reached))
            borne_out = any(held_ns >= at_ns - self._lateness for held_ns, _ in others)
            if not (borne_out or self._is_near(at_ns) or abs(self._told() - at_ns) <= self._step):
                yield from self._hold(at_ns, item)
                return
        yield self._believe((at_ns, item))
        if self.held:
            yield from self._weigh()

    def pause(self) -> Iterator[tuple[bool, int, T]]:
        """The feed is silent: what is held stands if nothing speaks against it, and waits where it is far away."""
        if not self._against and not self._is_far():
            yield from map(self._believe, self._free(self.held))

    def end(self) -> Iterator[tuple[bool, int, T]]:
        """The feed has ended: what is held stands unless it is far away, for lines may be late as well as ahead."""
        decide = self._refuse if self._is_far() else self._believe
        yield from map(decide, self._free(self.held))

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {
            "last_ns": self.last_ns,
            "held": list(self.held),
            "against": self._against,
            "voices": list(self._voices.heard),
            "doubted": list(self._voices.doubted),
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
        if one[0] == at_ns or self._against or voice in self._voices.doubted:
            return False
        return not self._voices.several or len(self.held) >= _LINES

    def _hold(self, at_ns: int, item: T) -> Iterator[tuple[bool, int, T]]:
        self._against = max(self._against, int(at_ns > self._told()))
        self.held.append((at_ns, item))
        if len(self.held) > _LINES:
            yield from map(self._refuse, self._free(self.held[:1]))

    def _weigh(self) -> Iterator[tuple[bool, int, T]]:
        """What is held, after a line that has not come as far."""
        near = [one for one in self.held if self._is_near(one[0])]
        yield from map(self._believe, self._free(near))
        if self.held:
            self._against += 1
        if self._against > _LINES:
            yield from map(self._refuse, self._free(self.held))

    def _free(self, lines: list[tuple[int, T]]) -> list[tuple[int, T]]:
        """These, which are held no more."""
        gone = {id(one) for one in lines}
        self.held = [one for one in self.held if id(one) not in gone]
        if not self.held:
            self._against = 0
        return lines

    def _believe(self, line: tuple[int, T]) -> tuple[bool, int, T]:
        at_ns, item = line
        self.last_ns = at_ns if self.last_ns is None else max(self.last_ns, at_ns)
        if self._voices.may_learn:
            self._voices.believe(self._voice(item))
        return True, at_ns, item

    def _refuse(self, line: tuple[int, T]) -> tuple[bool, int, T]:
        at_ns, item = line
        self._voices.doubt(self._voice(item))
        return False, at_ns, item


class _Voices:
    """Whose lines were believed and whose refused, as far as it counts.

    Attributes:
        heard: The first two that were believed: whether there is more than one.
        doubted: Whose lines were refused last, the newest ``_LINES``.
    """

    def __init__(self, heard: Iterable[str], doubted: Iterable[str]) -> None:
        self.heard, self.doubted = list(heard), list(doubted)

    @property
    def several(self) -> bool:
        """More than one has been heard."""
        return len(self.heard) > 1

    @property
    def may_learn(self) -> bool:
        """A believed line may tell something new."""
        return bool(self.doubted) or not self.several

    def believe(self, voice: str) -> None:
        """A line of this one is believed."""
        if voice in self.doubted:
            self.doubted.remove(voice)
        if not self.several and voice not in self.heard:
            self.heard.append(voice)

    def doubt(self, voice: str) -> None:
        """A line of this one is refused."""
        if voice not in self.doubted:
            self.doubted = [*self.doubted[1 - _LINES :], voice]
