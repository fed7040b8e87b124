"""What lifts rules for as long as somebody says so, without an end that is known before."""

from __future__ import annotations

from typing import Final

from smartstream.model.items import Condition, ConditionKind
from smartstream.model.time import NS

SIGHT: Final[dict[str, ConditionKind]] = {
    "covered": "low_visibility",
    "blurred": "low_visibility",
    "frozen": "low_visibility",
    "moved": "geometry_invalid",
}
"""What a camera's own pictures say of it, and what of the suppression stack that is."""
_SPAN_NS: Final = 10 * NS  # at a time; also what the detector needs to know its street again


class Lifting:
    """Tells a condition of a camera a while ahead, and anew before it runs out.

    Args:
        span_ns: How far ahead.
    """

    def __init__(self, span_ns: int = _SPAN_NS) -> None:
        self._span_ns = span_ns
        self._until: dict[tuple[str, str], tuple[ConditionKind, int]] = {}

    def begin(self, camera: str, origin: str, condition: ConditionKind, since_ns: int) -> None:
        """It holds since then, until it is ended."""
        self._until.setdefault((camera, origin), (condition, since_ns))

    def end(self, camera: str, origin: str) -> None:
        """It is not told any more; what was told runs out."""
        self._until.pop((camera, origin), None)

    def due(self, camera: str, now_ns: int) -> list[Condition]:
        """What has to be told before frames of ``now_ns`` are judged."""
        out = []
        for key, (condition, until_ns) in self._until.items():
            if key[0] == camera and until_ns <= now_ns:
                next_ns = now_ns + self._span_ns
                self._until[key] = (condition, next_ns)
                out.append(Condition(now_ns, until_ns, next_ns, condition, camera=camera, origin=f"{key[1]}/{camera}"))
        return out

    def snapshot(self) -> dict[tuple[str, str], tuple[ConditionKind, int]]:
        """A copy of the state."""
        return dict(self._until)

    def restore(self, state: dict[tuple[str, str], tuple[ConditionKind, int]]) -> None:
        """Go on from ``snapshot``."""
        self._until = dict(state)
