"""``smartstream run``: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.launch import Options, launch
from smartstream.observe.logging import configure

PACES = "max|1x|10x"
"""What the help shows of a pace."""


class Pace(click.ParamType[float | None]):
    """A pace by event time: ``max``, ``1x``, ``2.5x``."""

    name = "pace"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """``max`` is ``None``; ``2.5x`` is 2.5."""
        if value is None or value == "max":
            return None
        text = str(value).removesuffix("x")
        try:
            speed = float(text)
        except ValueError:
            speed = 0.0
        if not 0 < speed < 1e6:
            self.fail(f"expected max or a pace like 1x or 10x, found {value!r}", param, ctx)
        return speed


_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("site", type=click.Path(dir_okay=False, path_type=Path), metavar="SITE.toml")
@click.option(
    "--events",
    metavar="FILE",
    help="Also write every event, one CloudEvents JSON a line; `-`: print them.",
)
@click.option("--no-nats", is_flag=True, help="No broker at all.")
@click.option("--summary", type=click.Path(dir_okay=False, path_type=Path), help="Write the ledger as JSON.")
@click.option(
    "--speed",
    type=Pace(),
    metavar=PACES,
    default="max",
    show_default=True,
    help="Pace of file sources by event time.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker threads per process.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes on this machine.",
)
@click.option("--recovery", type=_FOLDER, help="Resume from the last committed epoch after any kind of stop.")
@click.option("--record", type=_FOLDER, help="Write every input as it came, in the input formats.")
def run(
    site: Path,
    events: str | None,
    no_nats: bool,  # noqa: FBT001
    summary: Path | None,
    speed: float | None,
    workers: int,
    processes: int,
    recovery: Path | None,
    record: Path | None,
) -> None:
    """Every source of a site to events: decode, detect, track, judge, publish.

    Live sources run until SIGINT or SIGTERM; when every source is a finite file the run ends by itself.
    """
    configure()
    launch(
        Options(
            site=site,
            events=events,
            use_nats=not no_nats,
            summary=summary,
            speed=speed,
            workers=workers,
            processes=processes,
            recovery=recovery,
            record=record,
        )
    )
