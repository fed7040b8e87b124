"""Vehicle classes and signal states, in wire order; twins of ``ss_model::class`` and ``ss_model::signal``."""

from __future__ import annotations

from typing import Final, Literal, get_args

VehicleClass = Literal["unknown", "motorcycle", "bicycle", "car", "truck", "bus", "pedestrian"]
SignalState = Literal["unknown", "green", "amber", "red", "flashing_amber", "dark"]

VEHICLE_CLASSES: Final[tuple[VehicleClass, ...]] = get_args(VehicleClass)
"""The index of a class is its code in a track batch."""
SIGNAL_STATES: Final[tuple[SignalState, ...]] = get_args(SignalState)
"""The index of a state is its code in the rule engine."""
CLASS_CODE: Final[dict[str, int]] = {name: code for code, name in enumerate(VEHICLE_CLASSES)}
STATE_CODE: Final[dict[str, int]] = {name: code for code, name in enumerate(SIGNAL_STATES)}
