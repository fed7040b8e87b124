"""Every step that keeps a state refuses one that another build wrote, instead of guessing what it means."""

import pytest

from pipelines.environment import ArrivalStep, StationSpec
from pipelines.floods import FloodSpec, FloodStep
from pipelines.media import MediaSpec, MediaStep
from pipelines.sectors import SectorSpec, SectorStep
from smartstream.errors import InvalidInputError

ZONE = "Asia/Ho_Chi_Minh"
STEPS = {
    "arrivals": lambda resume: ArrivalStep(StationSpec("demo", ("sensors/0",), ZONE, 0), resume),
    "floods": lambda resume: FloodStep(FloodSpec(("sensors/0",), {"wl": 1.0}, {"wl": ("j1",)}), resume),
    "indicators": lambda resume: SectorStep(SectorSpec("demo", ("indicators/0",), ZONE, 0), resume),
    "media": lambda resume: MediaStep(MediaSpec("demo", ("media/0",), 0, None, ZONE), resume),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("version", [None, 0])
def test_a_step_refuses_the_state_of_another_build(name, version):
    state = STEPS[name](None).snapshot()
    STEPS[name](state)
    with pytest.raises(InvalidInputError, match=f"{name} state: expected version"):
        STEPS[name](state | {"version": version})
