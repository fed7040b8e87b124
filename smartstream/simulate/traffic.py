"""Runs the traffic in SUMO, lets the offenders act, and returns where everyone was at every step."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import pi
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from smartstream.errors import MissingExtraError
from smartstream.model.classes import VehicleClass
from smartstream.simulate.kinds import KINDS, flow, routes, vehicle_types
from smartstream.simulate.network import write_network
from smartstream.simulate.phases import GROUPS, SignalPlan

if TYPE_CHECKING:
    from types import FrameType, ModuleType

STEP_S: Final = 0.04
WARM_UP_S: Final = 60.0
"""Traffic runs this long before the clip begins."""
_ROW: Final = re.compile(
    r'<vehicle id="([^"]+)" x="([^"]+)" y="([^"]+)" angle="([^"]+)" type="([^"]+)" '
    r'speed="([^"]+)" signals="([^"]+)"'
)
_TIME: Final = re.compile(r'<timestep time="([^"]+)"')
_BRAKE: Final = 8
"""Bit of SUMO's vehicle signals."""


@dataclass
class Mover:
    """Path of one road user at steps of ``STEP_S``.

    Attributes:
        id: The simulator's name.
        road_class: What it is.
        size_m: Length, width, height.
        first: Index of the first step in the clip's time.
        front_m: (n, 2) middle of the front on the ground.
        heading: (n, 2) unit vector.
        speed_mps: (n,)
        braking: (n,) brake lights.
    """

    id: str
    road_class: VehicleClass
    size_m: tuple[float, float, float]
    first: int
    front_m: npt.NDArray[np.float64]
    heading: npt.NDArray[np.float64]
    speed_mps: npt.NDArray[np.float64]
    braking: npt.NDArray[np.bool_]

    @property
    def steps(self) -> npt.NDArray[np.int64]:
        """Step index of each row."""
        return np.arange(self.first, self.first + len(self.speed_mps))


class Act(Protocol):
    """An offence or a near miss that is played during the simulation."""

    def step(self, road: Road) -> bool:
        """Called at every step; True when it is over."""


@dataclass
class Road:
    """What an act sees and touches.

    Attributes:
        vehicle: TraCI's vehicle domain.
        lane: TraCI's lane domain.
        now_s: Clip time: 0 is the first frame.
        plan: The signals.
        held: Vehicles that an act has taken; nobody else may.
        notes: What acts did, for the record: (time, act, vehicle).
    """

    vehicle: Any
    lane: Any
    plan: SignalPlan
    now_s: float = 0.0
    held: set[str] = field(default_factory=set)
    notes: list[tuple[float, str, str]] = field(default_factory=list)
    present: frozenset[str] = frozenset()

    def in_lane(self, lane_id: str) -> list[tuple[float, str]]:
        """Vehicles of a lane as (metres to its end, id), foremost first."""
        length = self.lane.getLength(lane_id)
        ids = self.lane.getLastStepVehicleIDs(lane_id)
        return sorted((length - self.vehicle.getLanePosition(v), v) for v in ids)


def missing_extra() -> MissingExtraError:
    """The refusal of whoever misses a library of the extra."""
    return MissingExtraError("`smartstream simulate`", "simulate")


def sumo_home() -> Path:
    """Where the SUMO wheel lives.

    Raises:
        MissingExtraError: The extra is not installed.
    """
    try:
        import sumo
    except ImportError:
        raise missing_extra() from None
    return Path(sumo.SUMO_HOME)


def _traci(home: Path) -> ModuleType:
    """TraCI comes with the wheel but not on the import path."""
    os.environ.setdefault("SUMO_HOME", str(home))
    tools = str(home / "tools")
    if tools not in sys.path:
        sys.path.append(tools)
    import traci

    module: ModuleType = traci
    return module


@contextlib.contextmanager
def running_sumo(home: Path, command: list[str]) -> Iterator[ModuleType]:
    """A simulation that listens; it has written its files when the block is left, and is gone however it is left."""
    traci = _traci(home)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    # In a session of its own, for Ctrl-C is ours to act upon: half an answer leaves SUMO waiting for ever.
    words = [*command, "--remote-port", str(port)]
    process = None
    try:
        with _ctrl_c_waits():
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints its retries
            traci.init(port, proc=process)
        yield traci
        traci.close()
    except BaseException:
        if process is not None:
            process.kill()
        with contextlib.suppress(Exception):
            traci.close()
        raise
    finally:
        if process is not None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """A Ctrl-C that comes meanwhile counts at the end.

    Not by the signal mask: that is a thread's, and the system gives the signal to any thread that lets it in.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # it is raised in another thread, or not at all
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *what: came.append(what))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        before(*came[0])


def run_traffic(
    seed: int,
    plan: SignalPlan,
    acts: Sequence[Act],
    *,
    seconds: float,
    density: float,
    progress: Callable[[float], None],
) -> tuple[list[Mover], list[tuple[float, str, str]]]:
    """Simulate and record ``seconds`` of traffic.

    Args:
        seed: Of the arrivals and of SUMO.
        plan: Signals; time 0 is the first frame.
        acts: Offenders.
        seconds: Length of the clip.
        density: Factor on the volumes.
        progress: Called with the fraction done.

    Returns:
        Everyone who was there, and the notes of the acts.
    """
    home = sumo_home()
    with tempfile.TemporaryDirectory(prefix="smartstream-sumo-") as name:
        folder = Path(name)
        net = write_network(folder, home / "bin" / "netconvert")
        demand = folder / "demand.rou.xml"
        rng = random.Random(f"flow {seed}")
        lawful = flow(rng, begin_s=0, end_s=WARM_UP_S + seconds, density=density)
        demand.write_text(f"<routes>\n{vehicle_types()}\n{routes()}\n{lawful}\n</routes>\n")
        fcd = folder / "fcd.xml"
        command = [
            home / "bin" / "sumo", "-n", net, "-r", demand, "--seed", seed % 2**31, "--step-length", STEP_S,
            "--lateral-resolution", 0.5, "--time-to-teleport", -1, "--collision.action", "none",
            "--ignore-junction-blocker", 3,
            "--no-step-log", "true", "--no-warnings", "true", "--fcd-output", fcd,
            "--fcd-output.attributes", "id,x,y,angle,type,speed,signals", "--fcd-output.signals", "true",
            "--device.fcd.begin", WARM_UP_S, "--precision", 3,
        ]  # fmt: skip
        with running_sumo(home, [str(c) for c in command]) as traci:
            notes = _play(traci, plan, list(acts), seconds, progress)
        return _read(fcd, seconds), notes


def _play(
    traci: Any, plan: SignalPlan, acts: list[Act], seconds: float, progress: Callable[[float], None]
) -> list[tuple[float, str, str]]:
    road = Road(traci.vehicle, traci.lane, plan)
    links = [_group(link[0][0]) for link in traci.trafficlight.getControlledLinks("C")]
    letters = [
        # Against the arrow one still waits for a gap in the oncoming traffic.
        {"green": "g" if link[0][0] == "S_in_1" and link[0][1][0] == "W" else "G", "amber": "y", "red": "r"}
        for link in traci.trafficlight.getControlledLinks("C")
    ]
    shown = ""
    steps = round((WARM_UP_S + seconds) / STEP_S) + 2
    for k in range(steps):
        road.now_s = k * STEP_S - WARM_UP_S
        state = "".join(
            letter[plan.phase(group, road.now_s + 1e-6)[0]] for group, letter in zip(links, letters, strict=True)
        )
        if state != shown:
            traci.trafficlight.setRedYellowGreenState("C", state)
            shown = state
        traci.simulationStep()
        if acts:
            road.present = frozenset(traci.vehicle.getIDList())
            acts = [act for act in acts if not act.step(road)]
        if k % 250 == 0:
            progress(k / steps)
    return road.notes


def _group(from_lane: str) -> str:
    """Signal group of a link, by the lane that it leaves."""
    group = ("NS-" if from_lane[0] in "NS" else "EW-") + ("left" if from_lane[-1] == "2" else "through")
    assert group in GROUPS
    return group


def _read(fcd: Path, seconds: float) -> list[Mover]:
    """Read the floating-car data of the clip."""
    rows: dict[str, list[tuple[int, float, float, float, float, int]]] = {}
    types: dict[str, str] = {}
    k = 0
    last = round(seconds / STEP_S)
    with fcd.open(encoding="utf-8") as lines:
        for line in lines:
            row = _ROW.search(line)
            if row:
                id_, x, y, angle, type_, speed, signals = row.groups()
                if 0 <= k <= last:
                    rows.setdefault(id_, []).append((k, float(x), float(y), float(angle), float(speed), int(signals)))
                    types[id_] = type_
                continue
            time = _TIME.search(line)
            if time:
                k = round((float(time[1]) - WARM_UP_S) / STEP_S)
    movers = []
    for id_, path in rows.items():
        kind = KINDS[types[id_].partition("@")[0]]
        table = np.array(path)
        angle = _steered(np.radians(table[:, 3]), table[:, 4], kind.size_m[0])  # clockwise from north
        heading = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        movers.append(
            Mover(
                id=id_,
                road_class=kind.road_class,
                size_m=kind.size_m,
                first=path[0][0],
                front_m=table[:, 1:3],
                heading=heading,
                speed_mps=table[:, 4],
                braking=(table[:, 5].astype(int) & _BRAKE) > 0,
            )
        )
    return movers


def _steered(angle: npt.NDArray[np.float64], speed_mps: npt.NDArray[np.float64], length_m: float) -> list[float]:
    """Headings that a vehicle can steer: SUMO's sublane model turns them on the spot."""
    tightest_m = 0.6 * length_m + 0.5
    out, now = [], float(angle[0])
    for wanted, speed in zip(angle.tolist(), speed_mps.tolist(), strict=True):
        turn = (wanted - now + pi) % (2 * pi) - pi
        most = speed * STEP_S / tightest_m
        now += min(max(turn, -most), most)
        out.append(now)
    return out
