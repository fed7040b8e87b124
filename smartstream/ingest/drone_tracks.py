"""Trajectories from above with the light that rules them (the text format of VTP-TL): who left on red.

A row is: frame, agent, x, y (pixels), light, whether the agent is in the light's area of influence, whether it is
the first there, state of the light (0 green, 1 red, 2 amber), seconds of the state. There is no stop line in it and no
class: the area ends about where a stop line is, so leaving it on red is a candidate and no more. Source: Zhang et al.,
D2-TPred, ECCV 2022; the states were told from the data (first vehicles stand under 1; 2 lasts 3 s, between 0 and 1).
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from math import atan2, degrees, isfinite
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from smartstream.errors import InvalidInputError
from smartstream.model.classes import SignalState

_STATES: Final[dict[int, SignalState]] = {0: "green", 1: "red", 2: "amber"}
_COLUMNS: Final = 9
_HEADING_S: Final = 1.0
_TURN_DEG: Final = 35.0


class _Row(NamedTuple):
    frame: int
    x: float
    y: float
    light: int
    inside: bool
    state: SignalState


class Leaving(msgspec.Struct, frozen=True):
    """Somebody who left the area of a light while it was red, or may have been.

    Attributes:
        agent: Number in the file.
        frame: First frame outside.
        light: Number of the light.
        red_s: Seconds since the light turned red; None where that was before the file begins.
        movement: What the path did afterwards, as far as it was seen.
        undecided: Why it proves nothing; None: a candidate.
    """

    agent: int
    frame: int
    light: int
    red_s: float | None
    movement: str
    undecided: str | None


class DroneTracks(msgspec.Struct, frozen=True):
    """What a file says.

    Attributes:
        agents: Road users in it.
        by_state: How many left a light's area under each state.
        red: Those who left it on red.
    """

    agents: int
    by_state: dict[str, int]
    red: list[Leaving]


def read_drone_tracks(path: Path, *, fps: float = 30.0, grace_s: float = 0.3) -> DroneTracks:
    """Who left when.

    Args:
        path: The file.
        fps: Frames per second.
        grace_s: A red younger than this is not held against anybody.

    Raises:
        InvalidInputError: A line is not a row; named by its number.
    """
    paths = _read(path)
    onsets = _onsets(paths)
    by_state: dict[str, int] = defaultdict(int)
    red: list[Leaving] = []
    for agent, rows in sorted(paths.items()):
        for at, (before, after) in enumerate(pairwise(rows)):
            if not before.inside or after.inside:
                continue
            if after.frame - before.frame > 1 or before.state != after.state:
                by_state["undecided"] += 1
                if "red" in (before.state, after.state):
                    why = "not seen when it left" if after.frame - before.frame > 1 else "on the frame of a change"
                    red.append(_leaving(agent, rows, at + 1, None, why, fps))
                continue
            by_state[after.state] += 1
            if after.state == "red":
                since = max((f for f in onsets[after.light] if f <= after.frame), default=None)
                red_s = None if since is None else (after.frame - since) / fps
                why_not = "within the grace time" if red_s is not None and red_s < grace_s else None
                red.append(_leaving(agent, rows, at + 1, red_s, why_not, fps))
    return DroneTracks(len(paths), dict(by_state), red)


def _leaving(agent: int, rows: list[_Row], at: int, red_s: float | None, why: str | None, fps: float) -> Leaving:
    movement = _movement(rows, at, fps)
    if why is None and movement in ("right", "not seen to its end"):
        why = "a turn to the right on red may be allowed there" if movement == "right" else "where it went was not seen"
    return Leaving(agent, rows[at].frame, rows[at].light, red_s, movement, why)


def _movement(rows: list[_Row], at: int, fps: float) -> str:
    """From the heading before it left to the last one seen; y points down in the picture."""
    n = max(round(_HEADING_S * fps), 1)
    if at < n or len(rows) - at < n:
        return "not seen to its end"

    def heading(a: _Row, b: _Row) -> float | None:
        return degrees(atan2(a.y - b.y, b.x - a.x)) if (a.x, a.y) != (b.x, b.y) else None

    first, last = heading(rows[at - n], rows[at]), heading(rows[-n], rows[-1])
    if first is None or last is None:
        return "not seen to its end"
    turn = (last - first + 180) % 360 - 180
    return "through" if abs(turn) < _TURN_DEG else "left" if turn > 0 else "right"


def _onsets(paths: dict[int, list[_Row]]) -> dict[int, list[int]]:
    """Frames at which each light turned red."""
    shown: dict[int, dict[int, SignalState]] = defaultdict(dict)
    for rows in paths.values():
        for row in rows:
            shown[row.light].setdefault(row.frame, row.state)
    return {
        light: [b for a, b in pairwise(sorted(states)) if states[a] != "red" and states[b] == "red"]
        for light, states in shown.items()
    }


def _finite(word: str) -> float:
    number = float(word)
    if not isfinite(number):
        raise ValueError(word)
    return number


def _read(path: Path) -> dict[int, list[_Row]]:
    paths: dict[int, list[_Row]] = defaultdict(list)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise InvalidInputError(f"{path}: expected a file of trajectories: {e}") from None
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            frame, agent, x, y, light, inside, _first, state, _lasted = map(_finite, words)
            paths[int(agent)].append(_Row(int(frame), x, y, int(light), inside == 1, _STATES[int(state)]))
        except (ValueError, KeyError):
            what = f"{_COLUMNS} numbers, the 8th of them 0 (green), 1 (red) or 2 (amber)"
            raise InvalidInputError(f"{path}: line {number}: expected {what}, found {line[:80]!r}") from None
    if not paths:
        raise InvalidInputError(f"{path}: expected rows of trajectories, found none")
    for rows in paths.values():
        rows.sort()
    return paths
