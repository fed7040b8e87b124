"""The stories: what happens in the street, told in waypoints. ``python tests/golden/stories.py`` writes them down.

Only the inputs are made here. ``expected.ndjson`` of a new story is written by the engine once and then read by a
person, line by line, before it is committed; afterwards a difference is a question, not a reason to write it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from smartstream.testing.golden import play
from smartstream.testing.street import SITE, T0, Drive, track_lines

HERE = Path(__file__).parent
LIGHTS = ((0, "green"), (10, "amber"), (13, "red"), (25, "green"))
X = 1.75  # middle of lane L0


def straight(track: int, cls: str, at_line: float, speed: float, x: float = X) -> Drive:
    """Past the line at ``at_line`` seconds without slowing down."""
    return Drive(track, cls, ((at_line - 50 / speed, x, -50.0), (at_line + 18 / speed, x, 18.0)))


def lights(lines: tuple[tuple[float, str], ...] = LIGHTS) -> list[str]:
    """A signal feed of the one group."""
    return [json.dumps({"time": T0 + t, "signal": "S", "state": state}) for t, state in lines]


# name: (drives, signal lines)
STORIES: dict[str, tuple[list[Drive], list[str]]] = {
    # One motorcycle well into red, one car well in green: a verdict for the first only.
    "red_light": ([straight(1, "motorcycle", 16.0, 10.0), straight(2, "car", 8.0, 10.0)], lights()),
    # Past the line while amber, not yet over it when amber came.
    "amber": ([straight(1, "car", 11.5, 10.0)], lights()),
    # Over the line 0.15 s into red: inside the grace, the frames cannot tell; and one on the onset itself.
    "red_onset": ([straight(1, "car", 13.15, 10.0), straight(2, "truck", 13.0, 8.0, 5.25)], lights()),
    # Stops one metre past the line until green; another reverses behind it again.
    "nose_over": (
        [
            Drive(1, "car", ((9.0, X, -50.0), (15.0, X, 1.0), (25.5, X, 1.0), (27.0, X, 18.0))),
            Drive(
                2,
                "car",
                (
                    (9.0, 5.25, -50.0),
                    (15.5, 5.25, 1.0),
                    (16.5, 5.25, 1.0),
                    (18.0, 5.25, -2.0),
                    (25.0, 5.25, -2.0),
                    (27.0, 5.25, 18.0),
                ),
            ),
        ],
        lights(),
    ),
    # Against its lane for forty metres; another only rolls back two.
    "wrong_way": (
        [
            Drive(1, "motorcycle", ((5.0, X, -5.0), (11.0, X, -45.0))),
            Drive(
                2,
                "car",
                (
                    (5.0, 5.25, -50.0),
                    (9.0, 5.25, -10.0),
                    (12.0, 5.25, -10.0),
                    (13.5, 5.25, -12.0),
                    (20.0, 5.25, -12.0),
                    (27.0, 5.25, 18.0),
                ),
            ),
        ],
        lights(),
    ),
    # The feed begins late: before its first line nobody knows the light.
    "unknown_light": ([straight(1, "bus", 16.0, 9.0)], lights(((20, "red"), (25, "green")))),
    # Flashing amber and a dark head are no red light.
    "flashing_and_dark": (
        [straight(1, "car", 8.0, 10.0), straight(2, "motorcycle", 18.0, 10.0)],
        lights(((0, "red"), (5, "flashing_amber"), (15, "dark"), (25, "red"))),
    ),
    # Garbage, a stranger's group, a line from the next century, one too late: dead letters; the verdict stands.
    "dirty_feed": (
        [straight(1, "motorcycle", 16.0, 10.0)],
        [
            *lights()[:2],
            "this is no JSON",
            json.dumps({"time": T0 + 11, "signal": "nobody", "state": "red"}),
            json.dumps({"time": T0 + 4e9, "signal": "S", "state": "green"}),
            lights()[2],
            json.dumps({"time": T0 + 12, "signal": "S", "state": "green"}),
            json.dumps({"time": T0 + 5, "signal": "S", "state": "red"}),
            lights()[3],
        ],
    ),
    # The line of the green comes ten seconds late: who drove on it is accused by the red before it, and cleared. One
    # who ran that red, and one who runs the next, stay suspected.
    "late_green": (
        [
            straight(1, "motorcycle", 16.0, 10.0),
            straight(2, "car", 29.0, 10.0),
            straight(3, "truck", 42.0, 10.0, 5.25),
        ],
        lights(((0, "green"), (10, "amber"), (13, "red"), (35, "amber"), (25, "green"), (38, "red"))),
    ),
    # After two whole cycles the feed says red for ever. One runs the second red; two drive on their green while the
    # feed says red: the first is taken back when the fault is found, the second never accused.
    "stuck_red": (
        [straight(1, "motorcycle", 45.0, 10.0), straight(2, "car", 72.0, 10.0), straight(3, "car", 95.0, 10.0)],
        lights(tuple((25 * n + t, state) for n in range(3) for t, state in LIGHTS[:3])),
    ),
}


CONDITION_FEED = '[[condition_feed]]\nurl = "file:conditions.ndjson"\n'


def condition(at: float, until: float, kind: str, **more: str) -> str:
    """A line of the condition feed."""
    return json.dumps({"time": T0 + at, "until": T0 + until, "condition": kind, "junction": "j1", **more})


# Stories with a condition feed.
CONDITIONS: dict[str, list[str]] = {
    # An officer directs the traffic while one runs the red; the second runs it when he has gone.
    "officer": [condition(14, 18, "officer_control", source="duty-roster"), "no JSON either"],
    # Word of the ambulance comes after the verdict: what was suspected is taken back.
    "late_word": [condition(28, 29, "low_visibility"), condition(12, 20, "emergency_vehicle")],
    # For the other lane only.
    "other_lane": [condition(10, 25, "officer_control", lane="L1")],
}
STORIES |= {
    "officer": ([straight(1, "motorcycle", 16.0, 10.0), straight(2, "car", 21.0, 10.0)], lights()),
    "late_word": ([straight(1, "motorcycle", 16.0, 10.0), straight(2, "car", 22.0, 10.0)], lights()),
    "other_lane": ([straight(1, "motorcycle", 16.0, 10.0), straight(2, "car", 21.0, 10.0, 5.25)], lights()),
}


def write_inputs(folder: Path, name: str) -> Path:
    """Write a story's inputs; returns its site file."""
    drives, signal_lines = STORIES[name]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.toml").write_text(SITE + (CONDITION_FEED if name in CONDITIONS else ""))
    if name in CONDITIONS:
        (folder / "conditions.ndjson").write_text("\n".join(CONDITIONS[name]) + "\n")
    (folder / "signals.ndjson").write_text("\n".join(signal_lines) + "\n")
    (folder / "tracks.ndjson").write_text("\n".join(track_lines(drives, seconds=120.0)) + "\n")
    return folder / "site.toml"


if __name__ == "__main__":
    for story in STORIES:
        site = write_inputs(HERE / story, story)
        expected = HERE / story / "expected.ndjson"
        if not expected.exists():
            expected.write_text("\n".join(play(site)) + "\n")
            print(f"{story}: expected.ndjson is new; read it before you commit it")
