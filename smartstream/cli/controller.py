"""``smartstream controller``: what a controller says, in its high-resolution log or in SPaT messages."""

from __future__ import annotations

from pathlib import Path

import click

from smartstream.ingest.controller_log import count_crossings, phase_lines, read_log
from smartstream.ingest.drone_tracks import read_drone_tracks
from smartstream.ingest.spat import changes, read_spat
from smartstream.model.items import SignalChange
from smartstream.model.time import rfc3339
from smartstream.options import FloatRange, Instant

_log = click.argument("log", metavar="LOG.parquet", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.group()
def controller() -> None:
    """What signal controllers say: logs (ATSPM, Parquet) and SPaT messages; and who left on red, seen from above."""


@controller.command()
@_log
@click.option("--device", type=int, help="Only this controller.")
def signals(log: Path, device: int | None) -> None:
    """The phases as lines of a signal feed.

    The lines go to standard output.
    """
    for line in phase_lines(read_log(log, device=device)):
        click.echo(_feed_line(line))


@controller.command()
@_log
@click.option("--device", type=int, help="Only this controller.")
@click.option("--detector", type=int, required=True, help="Channel of the detector.")
@click.option("--phase", type=int, required=True, help="Phase that rules it.")
def crossings(log: Path, device: int | None, detector: int, phase: int) -> None:
    """Crossings of a detector by what its phase showed.

    Those on the tick of a change are undecided.
    """
    found = count_crossings(read_log(log, device=device), detector=detector, phase=phase)
    for state, n in sorted(found.by_state.items()):
        click.echo(f"{state:<10} {n}")
    click.echo(f"{'undecided':<10} {len(found.undecided_ns)}")
    for at_ns in found.undecided_ns:
        click.echo(f"  {rfc3339(at_ns)} on the tick of a change")


@controller.command()
@click.argument("messages", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--start",
    "start_ns",
    type=Instant(),
    required=True,
    help="Instant of millisecond 0; of messages with instants, their year.",
)
@click.option("--intersection", type=int, help="Only this one.")
@click.option("--heartbeats", is_flag=True, help="Every message, not only changes.")
def spat(messages: Path, start_ns: int, intersection: int | None, heartbeats: bool) -> None:  # noqa: FBT001 (click)
    """SPaT messages as lines of a signal feed.

    MESSAGES are those of SAE J2735, as JSON; the lines go to standard output.
    """
    found = read_spat(messages, start_ns=start_ns, intersection=intersection)
    for line in found.lines if heartbeats else changes(found.lines):
        click.echo(_feed_line(line))
    click.echo(f"{found.messages} SPaT messages, {found.others} of other kinds", err=True)
    for number, why in found.refused:
        click.echo(f"{messages}: line {number} cannot be used: {why}", err=True)


@controller.command()
@click.argument("trajectories", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--fps", default=30.0, show_default=True, type=FloatRange(1, 240), help="Frames per second.")
def leavers(trajectories: Path, fps: float) -> None:
    """Who left the area of a light on red, seen from above.

    TRAJECTORIES are those of VTP-TL. Candidates, and why the others are none.
    """
    found = read_drone_tracks(trajectories, fps=fps)
    for state, n in sorted(found.by_state.items()):
        click.echo(f"{state:<10} {n}")
    click.echo(f"{found.agents} road users; on red:")
    for one in found.red:
        since = "since before the file begins" if one.red_s is None else f"{one.red_s:.1f} s after red"
        verdict = "candidate" if one.undecided is None else f"undecided: {one.undecided}"
        click.echo(f"  agent {one.agent}, light {one.light}, frame {one.frame}, {since}, {one.movement}: {verdict}")


def _feed_line(line: SignalChange) -> str:
    return f'{{"time": "{rfc3339(line.time_ns)}", "signal": "{line.signal}", "state": "{line.state}"}}'
