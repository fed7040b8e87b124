"""The junction as a SUMO network.

Offenders need permissions that lawful traffic has not. SUMO's spare vehicle classes carry them:
``evehicle`` may use S0 only (a car in the wrong lane), ``custom1`` turns left from S1 only (against the
arrow), ``custom2`` makes a U-turn from S2.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from smartstream.errors import InternalError
from smartstream.simulate.layout import (
    ARM_M,
    HALF_WIDTH_M,
    LANE_WIDTH_M,
    LANES,
    SOLID_M,
    SPEED_LIMIT_KMH,
    STOP_M,
)

ARMS: Final = {"S": (0, -1), "E": (1, 0), "N": (0, 1), "W": (-1, 0)}
"""Outward direction of each arm, counter-clockwise from the south."""
_ORDER: Final = "SENW"


def turn(arm: str, movement: str) -> str:
    """The arm that a movement from an arm leads to."""
    return _ORDER[(_ORDER.index(arm) + {"right": 1, "through": 2, "left": 3, "u_turn": 0}[movement]) % 4]


def write_network(folder: Path, netconvert: Path) -> Path:
    """Write the plain network files and convert them.

    Raises:
        InternalError: netconvert refused them.
    """
    half = STOP_M
    shape = " ".join(f"{x},{y}" for x, y in ((-half, -half), (half, -half), (half, half), (-half, half)))
    nodes = [f'<node id="C" x="0" y="0" type="traffic_light" shape="{shape}"/>']
    edges, links = [], []
    speed = SPEED_LIMIT_KMH / 3.6
    for arm, (dx, dy) in ARMS.items():
        nodes += [
            f'<node id="{arm}" x="{dx * ARM_M}" y="{dy * ARM_M}"/>',
            f'<node id="{arm}m" x="{dx * SOLID_M}" y="{dy * SOLID_M}"/>',
        ]
        common = f'numLanes="{LANES}" speed="{speed:.3f}" width="{LANE_WIDTH_M}"'
        solid = 'changeLeft="ignoring" changeRight="ignoring"'  # that is, nobody here
        lanes = (
            f'<lane index="0" allow="motorcycle bicycle bus truck evehicle" {solid}/>'
            f'<lane index="1" disallow="bicycle evehicle custom2" {solid}/>'
            f'<lane index="2" disallow="bicycle evehicle custom1" {solid}/>'
        )
        edges += [
            f'<edge id="{arm}_far" from="{arm}" to="{arm}m" {common}/>',
            f'<edge id="{arm}_in" from="{arm}m" to="C" {common}>{lanes}</edge>',
            f'<edge id="{arm}_out" from="C" to="{arm}" {common}/>',
        ]
        links += [f'<connection from="{arm}_far" to="{arm}_in" fromLane="{i}" toLane="{i}"/>' for i in range(LANES)]
        across, right, left = (f"{turn(arm, m)}_out" for m in ("through", "right", "left"))
        links += [
            f'<connection from="{arm}_in" to="{right}" fromLane="0" toLane="0"/>',
            f'<connection from="{arm}_in" to="{across}" fromLane="0" toLane="0"/>',
            f'<connection from="{arm}_in" to="{across}" fromLane="1" toLane="1" disallow="custom1"/>',
            f'<connection from="{arm}_in" to="{left}" fromLane="2" toLane="2"/>',
        ]
        if arm == "S":
            links += [
                f'<connection from="S_in" to="{left}" fromLane="1" toLane="1" allow="custom1"/>',
                '<connection from="S_in" to="S_out" fromLane="2" toLane="1" allow="custom2"'
                f' shape="{_u_turn_shape()}"/>',
            ]
    options = ["--no-turnarounds", "true", "--offset.disable-normalization", "true", "--junctions.corner-detail", "8"]
    return convert(folder, "junction", (nodes, edges, links), netconvert, options)


def convert(
    folder: Path, name: str, parts: tuple[list[str], list[str], list[str]], netconvert: Path, options: list[str]
) -> Path:
    """Write nodes, edges and connections as plain files and make a network of them.

    Raises:
        InternalError: netconvert refused them.
    """
    files = {}
    for (kind, tag), items in zip((("nod", "nodes"), ("edg", "edges"), ("con", "connections")), parts, strict=True):
        files[kind] = folder / f"{name}.{kind}.xml"
        files[kind].write_text(f"<{tag}>\n" + "\n".join(items) + f"\n</{tag}>\n")
    net = folder / f"{name}.net.xml"
    command = [netconvert, "-n", files["nod"], "-e", files["edg"], "-x", files["con"], "-o", net, *options]
    command += ["--no-warnings", "true"]
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if result.returncode or not net.exists():
        raise InternalError(f"netconvert: {result.stderr.strip()[-400:]}")
    return net


def _u_turn_shape() -> str:
    """From S2 into the box and round to the middle lane out: a half circle of one lane width."""
    x_in, x_out = 0.5 * LANE_WIDTH_M, HALF_WIDTH_M - 1.5 * LANE_WIDTH_M
    points = [(x_in, -STOP_M), (x_in, -10.0), (1.4, -8.4), (0.2, -7.2), (-1.75, -6.8), (-3.7, -7.2)]
    points += [(-4.9, -8.4), (-x_out, -10.0), (-x_out, -STOP_M)]
    return " ".join(f"{x},{y}" for x, y in points)
