"""``smartstream controller``: what a controller's high-resolution log says."""

from __future__ import annotations

from pathlib import Path

import click

from smartstream.ingest.controller_log import count_crossings, phase_lines, read_log
from smartstream.model.time import rfc3339

_log = click.argument("log", metavar="LOG.parquet", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.group()
def controller() -> None:
    """Logs of signal controllers (ATSPM, Parquet)."""


@controller.command()
@_log
@click.option("--device", type=int, help="Only this controller.")
def signals(log: Path, device: int | None) -> None:
    """The phases as lines of a signal feed, on standard output."""
    for line in phase_lines(read_log(log, device=device)):
        click.echo(f'{{"time": "{rfc3339(line.time_ns)}", "signal": "{line.signal}", "state": "{line.state}"}}')


@controller.command()
@_log
@click.option("--device", type=int, help="Only this controller.")
@click.option("--detector", type=int, required=True, help="Channel of the detector.")
@click.option("--phase", type=int, required=True, help="Phase that rules it.")
def crossings(log: Path, device: int | None, detector: int, phase: int) -> None:
    """Crossings of a detector by what its phase showed; those on the tick of a change are undecided."""
    found = count_crossings(read_log(log, device=device), detector=detector, phase=phase)
    for state, n in sorted(found.by_state.items()):
        click.echo(f"{state:<10} {n}")
    click.echo(f"{'undecided':<10} {len(found.undecided_ns)}")
    for at_ns in found.undecided_ns:
        click.echo(f"  {rfc3339(at_ns)} on the tick of a change")
