"""Hours of a city from a seed: every stream in the formats that are read, a site file, and the truth."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from smartstream.errors import InvalidInputError
from smartstream.simulate.city.citizens import write
from smartstream.simulate.city.driving import Drive, drive, plans_of
from smartstream.simulate.city.happenings import SWITCHES, World, draw_world
from smartstream.simulate.city.stations import Line, alarms, readings
from smartstream.simulate.city.streets import GATEWAYS, JUNCTIONS, ROADS, centre, group, position
from smartstream.simulate.city.truths import GATE_M, Truths, passages
from smartstream.simulate.city.views import CAMERAS, View, film
from smartstream.simulate.files import CALIBRATION_M
from smartstream.simulate.layout import HALF_WIDTH_M, LANES_JUDGED, STOP_LINE, Point
from smartstream.simulate.phases import SignalPlan
from smartstream.simulate.traffic import sumo_home

T0: Final = 1_790_000_400.0
"""Event time of the begin: 21 September 2026, 21:20 in Vietnam."""
_GROUPS: Final = ("NS-through", "NS-left", "EW-through", "EW-left")
_LIMIT: Final = 200
"""Vehicles by which the city fills or empties within an hour before its operators want to know."""
Progress = Callable[[str, float], None]


def make_city(seed: int, hours: float, out: Path, progress: Progress) -> dict[str, int]:
    """Write the scenario's streams, ``site.toml`` and ``truth.json``.

    Args:
        seed: Same seed, same bytes.
        hours: Of event time.
        out: Folder, made if absent.
        progress: Called with a stage and the fraction of it that is done.

    Returns:
        How many of each kind of happening.

    Raises:
        InvalidInputError: The extra is not installed, or the folder cannot be made.
    """
    sumo_home()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InvalidInputError(f"{out}: cannot be made: {e.strerror}") from e
    world, plans = draw_world(seed, hours, tuple(CAMERAS)), plans_of(seed)
    driven = drive(world, plans, lambda part: progress("traffic", part))
    views = film(world, driven.drives, out, T0, lambda part: progress("cameras", part))
    written = write(world, driven)
    for junction in JUNCTIONS:
        _lines(out / f"signals-{junction}.ndjson", _signals(world, junction, plans[junction]))
    _lines(out / "sensors.ndjson", readings(world, driven))
    _lines(out / "reports.ndjson", written.reports)
    _lines(out / "media.ndjson", written.media)
    _lines(out / "duty.ndjson", _duty(world, driven.drives))
    _lines(out / "approvals.ndjson", [])
    truth = {
        "scenario": "city", "seed": seed, "hours": hours, "t0": T0,
        "joins": Truths(world, driven, plans, views, written, T0).all(),
        "reports": written.about,
        "tracks": {name: {str(number): who for number, who in view.who.items()} for name, view in views.items()},
    }  # fmt: skip
    (out / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (out / "site.toml").write_text(_site(world, views), encoding="utf-8")
    progress("truth", 1.0)
    kinds: dict[str, int] = {}
    for happening in world.happenings:
        kinds[happening.kind] = kinds.get(happening.kind, 0) + 1
    return kinds


def _lines(path: Path, lines: Iterable[Line]) -> None:
    """NDJSON; times of the scenario become epoch seconds."""
    text = "".join(json.dumps(_dated(line), ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def _dated(line: Line) -> Line:
    return {key: round(T0 + value, 3) if key in ("time", "until") else value for key, value in line.items()}


def _signals(world: World, junction: str, plan: SignalPlan) -> list[Line]:
    """What the controller's feed says; where it fails it is silent, loses lines or tells them late. Lamps go on."""
    rng = random.Random(f"signals {junction} {world.seed}")
    fails = world.of("feed_fails", junction)
    lines: list[Line] = []
    for name in _GROUPS:
        for t, state in plan.changes(name, 0.0, world.seconds):
            wrong = next((h for h in fails if h.holds(t)), None)
            how = "" if wrong is None else wrong.more["how"]
            if how == "silent" or (how == "lossy" and rng.random() < 0.5):
                continue
            told = t + wrong.more["late_s"] if wrong is not None and how == "late" else t
            lines.append({"time": told, "signal": name, "state": state})
    return sorted(lines, key=lambda line: (float(str(line["time"])), str(line["signal"])))


def _duty(world: World, drives: list[Drive]) -> list[Line]:
    """Ambulances where a siren was heard, and officers; the siren detector misses one in twelve."""
    rng = random.Random(f"duty {world.seed}")
    lines: list[Line] = []
    for duty in world.of("duty"):
        for begin, end, junction in passages(drives, duty.name):
            if rng.random() < 11 / 12:
                more = {"condition": "emergency_vehicle", "junction": junction, "source": f"siren-{junction}"}
                lines.append({"time": begin, "until": end + 5, **more})
    for officer in world.of("officer"):
        more = {"condition": "officer_control", "junction": officer.place, "source": "duty-roster"}
        lines.append({"time": officer.begin_s, "until": officer.end_s, **more})
    return sorted(lines, key=lambda line: (line["time"], line["junction"]))


def _site(world: World, views: dict[str, View]) -> str:
    out = [
        f'[site]\nid = "city-{world.seed}"\nprovince = "19"\nward = "05443"\ntimezone = "Asia/Ho_Chi_Minh"\n\n'
        '[nats]\nurl = "embedded"\n'
    ]
    for junction in JUNCTIONS:
        lat, lon = position(*centre(junction))
        out.append(f'[[junction]]\nid = "{junction}"\nposition = {{ lat = {lat:.6f}, lon = {lon:.6f} }}')
        out += [f'[[junction.signal]]\nid = "{name}"' for name in _GROUPS]
        out.append(f'[[signal_feed]]\njunction = "{junction}"\nurl = "file:signals-{junction}.ndjson"')
    out += [_camera(name, view) for name, view in views.items()]
    feeds = {"sensor": "sensors", "report": "reports", "media": "media", "condition": "duty", "approval": "approvals"}
    out += [f'[[{kind}_feed]]\nurl = "file:{name}.ndjson"' for kind, name in feeds.items()]
    for leaves, reaches in ROADS.items():
        feeder = {"E": "W", "W": "E"}[leaves[2]]  # what goes straight on from there enters the road
        lanes = ("S0", "S1", "S2") if feeder == "W" else ("S0", "S1")
        feeding = ", ".join(f'"cam-{leaves[:2]}{feeder.lower()}/{lane}"' for lane in lanes)
        reached = ", ".join(f'"cam-{reaches.lower()}/S{i}"' for i in range(3))
        out.append(
            f'[[road]]\nstart = "{leaves[:2]}"\nend = "{reaches[:2]}"\ntravel_s = 28\napproach = [{reached}]\n'
            f'feeder = [{feeding}]\nentry = ["cam-{leaves.lower()}/SO"]'
        )
    for gateway in GATEWAYS:  # a line per carriageway: forward is the lawful way of each
        for suffix, line, inward in (("", "gate-in", "forward"), ("-out", "gate-out", "backward")):
            out.append(
                f'[[gateway]]\nid = "{gateway}{suffix}"\ncamera = "cam-{gateway.lower()}"\nline = "{line}"\n'
                f'inward = "{inward}"'
            )
    for station, alarm_m in alarms(world).items():
        lifts = '\njunctions = ["j2"]' if station == "wl-0" else ""
        out.append(f'[[gauge]]\nstation = "{station}"\nalarm_m = {alarm_m}{lifts}')
    for switch, devices in SWITCHES.items():
        out.append(f'[[network]]\nid = "{switch}"\nstations = {json.dumps(list(devices))}')
    out.append(f'[[join]]\nkind = "camera_drift"\n\n[[join]]\nkind = "gateway_balance"\nlimit = {_LIMIT}')
    return "\n".join(out) + "\n"


def _camera(name: str, view: View) -> str:
    """Lanes as the fitter drew them when the camera was hung."""

    def picture(points: Sequence[Point]) -> str:
        found = view.hung.normalised(np.array(points, float))
        return "[" + ", ".join(f"[{x:.5f}, {y:.5f}]" for x, y in found.tolist()) + "]"

    arm = view.approach[2]
    image, ground = picture(CALIBRATION_M), json.dumps([list(p) for p in CALIBRATION_M])
    out = [
        f'[[camera]]\nid = "{name}"\njunction = "{view.approach[:2]}"\nurl = "tracks:{name}.ndjson.gz"',
        f"[camera.calibration]\nimage = {image}\nworld_m = {ground}",
    ]
    for i, lane in enumerate(LANES_JUDGED):
        middle = np.mean(np.array(lane.polygon), axis=0)
        ends = np.stack([middle - 20 * np.array(lane.direction), middle + 20 * np.array(lane.direction)])
        along = view.hung.normalised(ends)
        direction = [round(float(v), 5) for v in along[1] - along[0]]
        signal = "" if lane.signal is None else f'\nsignal = "{group(arm, i)}"'
        out.append(
            f'[[camera.lane]]\nid = "{lane.id}"\npolygon = {picture(lane.polygon)}\ndirection = {direction}{signal}'
        )
    gates: tuple[tuple[str, tuple[Point, Point]], ...] = (
        ("gate-in", ((0.2, -GATE_M), (HALF_WIDTH_M, -GATE_M))),
        ("gate-out", ((-HALF_WIDTH_M, -GATE_M), (-0.2, -GATE_M))),
    )
    for id_, kind, points in ((STOP_LINE.id, "stop", STOP_LINE.points), *((g, "count", ends) for g, ends in gates)):
        out.append(f'[[camera.line]]\nid = "{id_}"\nkind = "{kind}"\npoints = {picture(points)}')
    out += [f'[[camera.rule]]\nkind = "{rule}"\nline = "{STOP_LINE.id}"' for rule in ("red_light", "stop_line")]
    return "\n".join(out)


HOURS: Final = (1.0, 24.0)
"""Shortest and longest scenario; a shorter one has no room for what takes its time."""
