"""Whether a camera still looks where it looked: the street's pattern of traffic, moved as a whole.

Where vehicles drive over ten minutes is laid over where they usually do, at every small shift. A closed lane or an
empty hour change how much is where, and fit best where they always did; a camera that was pushed aside fits best
somewhere else. Who stands does not count: a jam is a pattern of its own. (Registration by the peak of the normalised
cross-correlation.)
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream.model.time import NS

WIDE, HIGH = 64, 36
"""Cells of the picture."""
_LEFT, _UP = 10, 4  # cells by which a view is looked for at most
_LOOK_NS: Final = 60 * NS
_RECENT: Final = 10  # looks that are compared with the usual
_LEARNT: Final = 800  # sights that make a usual
_ENOUGH: Final = 150  # sights of the recent looks
_BETTER: Final = 0.12  # by which another shift must fit better than none
_AWAY: Final = 2.0  # cells
_FADE: Final = 0.985  # of the usual, each look
_KNOWN: Final = 0.6  # a pattern that nowhere fits so well says nothing: one lane alone fits another one nearly so
Grid = npt.NDArray[np.float64]


class ViewDrift:
    """Follows one camera."""

    def __init__(self) -> None:
        self._usual: Grid = np.zeros((HIGH, WIDE))
        self._looks: list[Grid] = []
        self._now: Grid = np.zeros((HIGH, WIDE))
        self._begun_ns: int | None = None
        self.moved: tuple[float, float] | None = None
        """Shift in parts of the picture while the camera looks elsewhere."""

    def sights(self, now_ns: int, feet: Grid) -> list[tuple[str, dict[str, Any]]]:
        """Where vehicles that move (n, 2) are at a look: ``moved`` or ``settled`` when a minute has shown that.

        A minute ends with the first look after it.
        """
        out: list[tuple[str, dict[str, Any]]] = []
        if self._begun_ns is None:
            self._begun_ns = now_ns // _LOOK_NS * _LOOK_NS
        if now_ns - self._begun_ns >= _LOOK_NS:
            out = self._compare()
            self._begun_ns = now_ns // _LOOK_NS * _LOOK_NS
        if len(feet):
            column = np.clip((feet[:, 0] * WIDE).astype(int), 0, WIDE - 1)
            row = np.clip((feet[:, 1] * HIGH).astype(int), 0, HIGH - 1)
            np.add.at(self._now, (row, column), 1.0)
        return out

    def _compare(self) -> list[tuple[str, dict[str, Any]]]:
        self._looks.append(self._now)
        self._now = np.zeros((HIGH, WIDE))
        if len(self._looks) > _RECENT:
            old = self._looks.pop(0)
            if self.moved is None:
                self._usual = _FADE * self._usual + old
        recent = np.sum(self._looks, axis=0)
        if recent.sum() < _ENOUGH or self._usual.sum() < _LEARNT:
            return []
        fit, still, shift = _register(self._usual, recent)
        if fit < _KNOWN:
            return []
        away = float(np.hypot(*shift)) >= _AWAY and fit - still >= _BETTER
        if away and self.moved is None:
            self.moved = (shift[0] / WIDE, shift[1] / HIGH)
            said = {"shift": [round(v, 3) for v in self.moved], "fit": round(fit, 3), "was": round(still, 3)}
            return [("moved", said | {"since_ns": (self._begun_ns or 0) - (_RECENT - 1) * _LOOK_NS})]
        if self.moved is not None and np.hypot(*shift) < _AWAY:
            self.moved = None
            self._looks.clear()  # most of them are of the other view
            return [("settled", {})]
        return []

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {
            "usual": self._usual.copy(),
            "looks": [look.copy() for look in self._looks],
            "now": self._now.copy(),
            "begun_ns": self._begun_ns,
            "moved": self.moved,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._usual, self._now = state["usual"].copy(), state["now"].copy()
        self._looks = [look.copy() for look in state["looks"]]
        self._begun_ns, self.moved = state["begun_ns"], state["moved"]


def _register(usual: Grid, recent: Grid) -> tuple[float, float, tuple[int, int]]:
    """How well the recent pattern fits at its best shift, how well unshifted, and the shift (cells right, down)."""
    a, b = _pattern(usual), _pattern(recent)
    best, still, at = -1.0, 0.0, (0, 0)
    for down in range(-_UP, _UP + 1):
        for right in range(-_LEFT, _LEFT + 1):
            here = a[max(0, -down) : HIGH - max(0, down), max(0, -right) : WIDE - max(0, right)]
            there = b[max(0, down) : HIGH + min(0, down), max(0, right) : WIDE + min(0, right)]
            norm = float(np.sqrt((here * here).sum() * (there * there).sum()))
            fit = float((here * there).sum()) / norm if norm > 0 else 0.0
            if right == down == 0:
                still = fit
            if fit > best:
                best, at = fit, (right, down)
    return best, still, at


def _pattern(grid: Grid) -> Grid:
    """Where there is traffic more than how much: roots, blurred over neighbouring cells, about their mean."""
    root = np.sqrt(grid / max(grid.sum(), 1.0))
    wide = np.pad(root, 1)
    blurred = np.mean([wide[i : i + HIGH, j : j + WIDE] for i in range(3) for j in range(3)], axis=0)
    return np.asarray(blurred - blurred.mean())
