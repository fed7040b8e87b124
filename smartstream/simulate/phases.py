"""The signal plan: which group shows what, when. It drives the traffic and the signal feed alike."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from smartstream.model.classes import SignalState

AMBER_S: Final = 3.0
ALL_RED_S: Final = 2.0
GROUPS: Final = ("NS-through", "NS-left", "EW-through", "EW-left")
FEED_GROUP: Final = {"S-through": "NS-through", "S-left": "NS-left"}
"""Groups of the feed: the southern approach runs with the northern one."""
ARROW: Final = "NS-right"
FEED_ARROW: Final = {"S-right": ARROW}
"""The right turn where it has a light of its own."""


@dataclass(frozen=True)
class SignalPlan:
    """A fixed-time plan of four stages in the order of ``GROUPS``.

    Attributes:
        green_s: Green time per stage.
        offset_s: Time at which the first stage turns green.
        arrow: The right turn has a light of its own: green from the stage before its through traffic's on, which it
            does not meet, until that ends.
    """

    green_s: tuple[float, float, float, float]
    offset_s: float
    arrow: bool = False

    @property
    def groups(self) -> dict[str, str]:
        """Groups of the feed, with the stage or the arrow that they show."""
        return FEED_GROUP | FEED_ARROW if self.arrow else FEED_GROUP

    @property
    def cycle_s(self) -> float:
        """Length of a cycle."""
        return sum(self.green_s) + 4 * (AMBER_S + ALL_RED_S)

    def green_at(self, group: str) -> float:
        """Start of the group's green within the cycle."""
        stage = GROUPS.index("EW-left" if group == ARROW else group)
        return sum(self.green_s[:stage]) + stage * (AMBER_S + ALL_RED_S)

    def lasts(self, group: str) -> float:
        """Length of the group's green."""
        if group == ARROW:
            return self.green_s[3] + AMBER_S + ALL_RED_S + self.green_s[0]
        return self.green_s[GROUPS.index(group)]

    def phase(self, group: str, t_s: float) -> tuple[SignalState, float, float]:
        """State of a group, seconds since it began and until it ends."""
        cycle, green = self.cycle_s, self.lasts(group)
        at = (t_s - self.offset_s - self.green_at(group)) % cycle
        if at < green:
            return "green", at, green - at
        if at < green + AMBER_S:
            return "amber", at - green, green + AMBER_S - at
        return "red", at - green - AMBER_S, cycle - at

    def changes(self, group: str, begin_s: float, end_s: float) -> list[tuple[float, SignalState]]:
        """The state at ``begin_s`` and every change until ``end_s``."""
        t, out = begin_s, []
        while t < end_s:
            state, _, left = self.phase(group, t + 1e-6)
            out.append((round(t, 3), state))
            t += left + 1e-6
            t = round(t, 3)
        return out


def draw_plan(rng: random.Random) -> SignalPlan:
    """A plan with the clip's first frame anywhere in its cycle."""
    green = (rng.choice((18.0, 20.0, 22.0)), rng.choice((9.0, 10.0)), rng.choice((11.0, 13.0)), 6.0)
    cycle_s = SignalPlan(green, 0.0).cycle_s
    return SignalPlan(green, float(round(rng.uniform(0, cycle_s))))
