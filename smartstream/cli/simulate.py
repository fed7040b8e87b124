"""``smartstream simulate``: labelled junction scenes, and cities with truth for every join."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import Progress as Bars

from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.options import FloatRange, Size
from smartstream.simulate.camera import MOUNTS
from smartstream.simulate.cases import CASES
from smartstream.simulate.city.scenario import HOURS, make_city
from smartstream.simulate.scene import Progress, SceneOptions, make_scene

CODECS = ("h264", "h265", "mjpeg", "mpeg4")


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--scenario", default="junction", show_default=True, type=click.Choice(["junction", "city"]), help="What is made."
)
@click.option("--hours", default=2.0, show_default=True, type=FloatRange(*HOURS), help="Length of a city.")
@click.option("--seed", required=True, type=click.IntRange(0, 2**31 - 1), help="Same seed, same scene.")
@click.option("--seconds", default=60.0, show_default=True, type=FloatRange(5, 7200), help="Length of the clip.")
@click.option("--scene", default="day", show_default=True, type=click.Choice(["day", "night"]), help="Light.")
@click.option(
    "--camera", default="standard", show_default=True, type=click.Choice(list(MOUNTS)),
    help="Where it hangs; `rear` and `rear-far` see the vehicles drive away.",
)  # fmt: skip
@click.option("--size", default="1280x720", show_default=True, type=Size(), help="Picture in pixels.")
@click.option("--fps", default=25.0, show_default=True, type=FloatRange(1, 60), help="Frames per second.")
@click.option("--codec", default="h264", show_default=True, type=click.Choice(CODECS), help="Of scene.mp4.")
@click.option("--bitrate", type=click.IntRange(50, 100_000), help="kbit/s; without it constant, good quality.")
@click.option("--noise", type=FloatRange(0, 40), help="Sensor noise in grey levels.  [default: 3, at night 6]")
@click.option("--shake", default=0.0, show_default=True, type=FloatRange(0, 20), help="Camera shake in pixels.")
@click.option("--jumps", default=0.0, show_default=True, type=FloatRange(0, 60), help="Exposure jumps a minute.")
@click.option("--density", default=1.0, show_default=True, type=FloatRange(0.1, 3), help="Factor on the traffic.")
@click.option("--offences", default=1.0, show_default=True, type=FloatRange(0, 3), help="Factor on the offenders.")
@click.option(
    "--cases", multiple=True, type=click.Choice(["all", *dict.fromkeys(case.kind for case in CASES)]), metavar="KIND",
    help="Instead of traffic: offences, near misses and lifted offences of a rule kind (or `all`), one after the "
    "other; they say how long the scene is.",
)  # fmt: skip
@click.option("--no-video", is_flag=True, help="Perfect tracks only; the site file reads them.")
@click.pass_context
def simulate(
    ctx: click.Context,
    out: Path,
    scenario: str,
    hours: float,
    seed: int,
    seconds: float,
    scene: str,
    camera: str,
    size: tuple[int, int],
    fps: float,
    codec: str,
    bitrate: int | None,
    noise: float | None,
    shake: float,
    jumps: float,
    density: float,
    offences: float,
    cases: tuple[str, ...],
    no_video: bool,  # noqa: FBT001 (click)
) -> None:
    """Make a labelled junction scene, or hours of a city, in the folder OUT.

    A junction: scene.mp4, signals.ndjson, tracks.ndjson.gz (perfect tracks), truth.json and site.toml, with `--cases`
    conditions.ndjson, too. A city: tracks of every camera, signals, sensors, reports, media, duty roster, and what
    truly happened, for `smartstream score`. Needs the extra: pip install 'smartstream[simulate]' (exit code 2 without
    it).
    """
    if out.exists() and not out.is_dir():
        raise InvalidInputError(f"{out}: expected a folder")
    _refuse_others(ctx, scenario)
    if scenario == "city":
        stages: tuple[str, ...] = ("traffic", "cameras", "truth")
        kinds = _with_progress(out, stages, lambda progress: make_city(seed, hours, out, progress))
        found = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
        click.echo(f"{out}: {hours:g} h, {found}", err=True)
        return
    options = SceneOptions(
        seed=seed, seconds=seconds, scene="night" if scene == "night" else "day", camera=camera, size=size,
        fps=fps, codec=codec, bitrate_kbps=bitrate, noise=noise, shake_px=shake, jumps=jumps, density=density,
        offences=offences, video=not no_video, cases=kinds_of(cases),
    )  # fmt: skip
    stages = ("traffic", "truth", "picture")[: 3 - no_video]
    kinds = _with_progress(out, stages, lambda progress: make_scene(options, out, progress))
    found = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "no offence"
    click.echo(f"{out}: {'cases' if cases else f'{seconds:g} s'}, {found}", err=True)


def kinds_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Rule kinds of the names given; `all` is every one."""
    every = tuple(dict.fromkeys(case.kind for case in CASES))
    return every if "all" in names else tuple(kind for kind in every if kind in names)


def _refuse_others(ctx: click.Context, scenario: str) -> None:
    """An option that the scenario has no use for is a mistake, not to be passed over."""
    shared, of_city = {"out", "scenario", "seed"}, {"hours"}
    for name in ctx.params.keys() - shared:
        said = ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if said and (name in of_city) != (scenario == "city"):
            raise click.UsageError(f"--{name.replace('_', '-')} is no option of --scenario {scenario}")
        if said and ctx.params["cases"] and name in ("seconds", "density", "offences"):
            raise click.UsageError(f"--{name} is of no use with --cases: the cases say what happens and how long")


def _with_progress(out: Path, stages: tuple[str, ...], make: Callable[[Progress], dict[str, int]]) -> dict[str, int]:
    console = Console(stderr=True)
    try:
        if not console.is_terminal:
            return make(_Log())
        with Bars(console=console) as bar:
            tasks = {name: bar.add_task(name, total=1.0) for name in stages}
            return make(lambda stage, part: bar.update(tasks[stage], completed=part))
    except OSError as e:  # a disk that is full, a name that is taken
        raise UnavailableError(f"{e.filename or out}: cannot be written: {e.strerror or e}") from e


class _Log:
    """A line every few seconds where nobody watches a bar."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 5.0

    def __call__(self, stage: str, part: float) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 5.0
            print(f"simulate: {stage} {part:.0%}", file=sys.stderr, flush=True)
