"""Cases of every rule kind: clear offences, near misses, and offences that a condition lifts."""

from __future__ import annotations

from typing import Final

from smartstream.simulate.cases.lights import ARROWS, LIGHTS
from smartstream.simulate.cases.places import PLACES
from smartstream.simulate.cases.turns import TURNS
from smartstream.simulate.stage import Case

CASES: Final[tuple[Case, ...]] = (*LIGHTS, *TURNS, *PLACES, *ARROWS)
"""Every case, by family."""
