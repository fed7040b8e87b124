"""``smartstream bench accuracy``: every rule kind on cases of our simulator, clear ones and near misses.

A seed gives a scene with every case once (``smartstream simulate --cases all``). Its world model, which knows
nothing of rule engines, says what is an offence; from perfect tracks, or with ``--pixels`` from the rendered
picture through the motion detector, the rules say what they hold against whom. Intervals are Wilson's score
intervals for 95 % (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import sqrt
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Literal

import click

from smartstream.bench.report import write_json
from smartstream.errors import InternalError
from smartstream.options import FloatRange
from smartstream.score import Span, match
from smartstream.simulate.camera import MOUNTS, REAR
from smartstream.simulate.cases import CASES
from smartstream.simulate.scene import SceneOptions, make_scene

HERE: Final = Path("benchmarks")
USED: Final = "1-20"
"""Seeds that were looked at while cases and rules were written."""
FRESH: Final = "5001-5020"
"""Seeds that nobody looked at before the table was made."""
_SEEN: Final = {"front": "seen to come", "rear": "seen from behind"}
_Z95: Final = 1.959964
_TOLERANCE_S: Final = 2.0
_TRACKS_FPS: Final = 12.5
_PIXELS: Final = (1280, 720)
VIEWS: Final = {"front": tuple(mount for mount in MOUNTS if mount not in REAR), "rear": REAR}
"""Cameras of which a seed plays before one: those that see vehicles come, those that see them drive away."""
_ABOUT: Final = """By `smartstream bench accuracy --write`. A seed plays every case once, drawn anew, before one of
five cameras that see vehicles come, and before one of two that see them drive away: clear offences, near misses
(accusing them is *false*), and offences that a condition lifts (they should be *suppressed*). What is an offence, the
world model says, by the exact paths; drawings too near a limit to tell are drawn again before any rule sees them. A
true case left undecided is *missed*. Intervals: Wilson, 95 %."""
KINDS: Final = tuple(dict.fromkeys(case.kind for case in CASES))


@dataclass
class Row:
    """Sums of one rule kind.

    Attributes:
        truth: Offences by the world model.
        found: Of these, suspected.
        false: Suspected, and no offence (or lifted).
        near_misses: Cases that are nearly one.
        lifted: Offences that a condition lifts.
        told: Of these, suppressed.
        undecided: Verdicts left open.
        open_truth: Offences that were left open; they count as missed.
        suppressed: Verdicts lifted.
    """

    truth: int = 0
    found: int = 0
    false: int = 0
    near_misses: int = 0
    lifted: int = 0
    told: int = 0
    undecided: int = 0
    open_truth: int = 0
    suppressed: int = 0

    @property
    def cases(self) -> int:
        """How much there is to tell."""
        return self.truth + self.false + self.near_misses + self.lifted

    def add(self, other: Row) -> None:
        """Sum up."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class Result:
    """What came of some seeds.

    Attributes:
        rows: Sums by rule kind.
        open: How often a verdict was left open: (kind, case in which, reasons).
        unseen: Cases that the camera of a seed cannot show clearly: (kind, case).
        wrong: What is false or missed: (seed, kind, case, what).
    """

    rows: dict[str, Row] = field(default_factory=lambda: {kind: Row() for kind in KINDS})
    open: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unseen: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[tuple[int, str, str, str]] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Sum up."""
        for kind, row in other.rows.items():
            self.rows[kind].add(row)
        self.open += other.open
        self.unseen += other.unseen
        self.wrong += other.wrong


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's score interval for 95 %."""
    if not of:
        return 0.0, 1.0
    p, zz = hits / of, _Z95 * _Z95
    middle = p + zz / (2 * of)
    half = _Z95 * sqrt(p * (1 - p) / of + zz / (4 * of * of))
    return max((middle - half) / (1 + zz / of), 0.0), min((middle + half) / (1 + zz / of), 1.0)


def judge_seed(
    seed: int, *, view: str = "front", kinds: Sequence[str] = KINDS, pixels: SceneOptions | None = None
) -> Result:
    """One scene, played and scored.

    Args:
        seed: Of the scene.
        view: Of which cameras it is played before one.
        kinds: Whose cases are played.
        pixels: How the picture is made; None: from perfect tracks.

    Raises:
        InternalError: The run over the picture failed.
    """
    mounts = VIEWS[view]
    mount = mounts[seed % len(mounts)]
    with tempfile.TemporaryDirectory(prefix="smartstream-accuracy-") as name:
        folder, events = Path(name), Path(name) / "events.ndjson"
        if pixels is None:
            from smartstream.testing.golden import play

            options = SceneOptions(seed, camera=mount, fps=_TRACKS_FPS, video=False, cases=tuple(kinds))
            make_scene(options, folder, _quiet)
            events.write_text("".join(line + "\n" for line in play(folder / "site.toml")))
        else:
            options = SceneOptions(
                seed, camera=mount, fps=pixels.fps, size=pixels.size, scene=pixels.scene, cases=tuple(kinds)
            )
            make_scene(options, folder, _quiet)
            command = [sys.executable, "-m", "smartstream", "run", folder / "site.toml"]
            command += ["--no-nats", "--events", events]
            done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise InternalError(f"seed {seed}: {done.stderr[-500:]}")
        return _score(seed, folder / "truth.json", events)


def _quiet(_stage: str, _part: float) -> None:
    """Nobody watches."""


def _score(seed: int, truth_path: Path, events: Path) -> Result:
    truth = json.loads(truth_path.read_text(encoding="utf-8"))
    verdicts = _verdicts(events)
    result = Result()
    result.unseen.update((case["kind"], case["case"]) for case in truth["unseen"])
    for case in truth["cases"]:
        result.rows[case["kind"]].near_misses += case["expects"] == "near_miss"
    for kind, row in result.rows.items():
        true, excused = (_spans(truth[part], kind) for part in ("violations", "ignore"))
        found, left_open = (
            [v for v in verdicts if (v.kind, v.verdict) == (kind, x)] for x in ("suspected", "undecided")
        )
        hits = match(true, [v.span for v in found], _TOLERANCE_S)
        missed = [span for i, span in enumerate(true) if i not in {i for i, _, _ in hits}]
        rest = [v.span for j, v in enumerate(found) if j not in {j for _, j, _ in hits}]
        known = {j for _, j, _ in match(excused, rest, _TOLERANCE_S)}
        false = [span for j, span in enumerate(rest) if j not in known]
        row.truth, row.found, row.false = len(true), len(hits), len(false)
        row.undecided = len(left_open)
        # Which of two rules it is may be what is open.
        row.open_truth = len(match(missed, [v.span for v in verdicts if v.verdict == "undecided"], _TOLERANCE_S))
        suppressed = [v.span for v in verdicts if (v.kind, v.verdict) == (kind, "suppressed")]
        lifted = _spans(truth["lifted"], kind)
        told = {i for i, _, _ in match(lifted, suppressed, _TOLERANCE_S)}
        silent = [span for i, span in enumerate(lifted) if i not in told]
        row.lifted, row.told, row.suppressed = len(lifted), len(told), len(suppressed)
        for what, spans in (("missed", missed), ("false", false), ("lifted, and not told", silent)):
            result.wrong += [(seed, kind, _case_at(truth, begin), what) for begin, _ in spans]
        for v in left_open:
            result.open[kind, _case_at(truth, v.span[0]), ", ".join(v.reasons)] += 1
    return result


@dataclass(frozen=True)
class _Verdict:
    kind: str
    verdict: str
    span: Span
    reasons: tuple[str, ...]


def _verdicts(events: Path) -> list[_Verdict]:
    """What stands at the end, estimated speeds among it."""
    standing: dict[str, _Verdict] = {}
    for line in events.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        data, type_ = event["data"], event["type"]
        standing.pop(data.get("retracts"), None)
        verdict = "suspected" if ".traffic.speeding.estimated" in type_ else data.get("verdict")
        if verdict in ("suspected", "undecided", "suppressed") and ".evidence." not in type_:
            begin = datetime.fromisoformat(event["time"]).timestamp()
            until = data.get("until")
            end = datetime.fromisoformat(until).timestamp() if until else begin
            standing[event["id"]] = _Verdict(data["kind"], verdict, (begin, end), tuple(data.get("reasons") or ()))
    return list(standing.values())


def _spans(entries: Sequence[dict[str, Any]], kind: str) -> list[Span]:
    return [(v["t"], v.get("t_end", v["t"])) for v in entries if v["kind"] == kind]


def _case_at(truth: dict[str, Any], t_s: float) -> str:
    inside = (f"{c['kind']}: {c['case']}" for c in truth["cases"] if c["from"] - 1 <= t_s <= c["until"] + 1)
    return next(inside, "between cases")


def judge_seeds(
    seeds: Sequence[int],
    *,
    jobs: int,
    view: str = "front",
    pixels: SceneOptions | None = None,
    kinds: Sequence[str] = KINDS,
) -> Result:
    """Several scenes, pooled; ``jobs`` at a time."""
    total = Result()
    one = partial(judge_seed, view=view, kinds=kinds, pixels=pixels)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for seed, result in zip(seeds, pool.map(one, seeds), strict=True):
            total.add(result)
            click.echo(f"accuracy: seed {seed}, {len(result.wrong)} wrong", err=True)
    return total


class _Seeds(click.ParamType[tuple[int, ...]]):
    name = "A-B,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        out: list[int] = []
        for part in str(value).split(",") if value else ():
            first, _, last = part.partition("-")
            if not first.isdecimal() or (last and not last.isdecimal()) or len(part) > 21:
                self.fail(f"expected seeds such as 1-20 or 3,7,9, found {value!r}", param, ctx)
            found = range(int(first), int(last or first) + 1)
            if not found:
                self.fail(f"expected the smaller seed first, found {part!r}", param, ctx)
            out += found
        return tuple(out)


@click.command()
@click.option("--seeds", type=_Seeds(), default=USED, show_default=True, help="Looked at while developing.")
@click.option("--fresh", type=_Seeds(), default=FRESH, show_default=True, help="Never looked at.")
@click.option("--pixels", is_flag=True, help="From the rendered picture and the motion detector: minutes a seed.")
@click.option("--scene", type=click.Choice(["day", "night"]), default="day", show_default=True, help="Light.")
@click.option("--fps", type=FloatRange(5, 60), default=_TRACKS_FPS, show_default=True, help="With --pixels.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KINDS), metavar="KIND", help="Only cases of this kind."
)
@click.option(
    "--view", "views", multiple=True, type=click.Choice(list(VIEWS)), default=list(VIEWS), show_default=True,
    help="Cameras that see vehicles come, or drive away.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, help="Seeds at a time.")
@click.option("--write", is_flag=True, help=f"Also write {HERE}/accuracy*.md and .json.")
def bench(
    seeds: tuple[int, ...],
    fresh: tuple[int, ...],
    pixels: bool,  # noqa: FBT001 (click)
    scene: str,
    fps: float,
    kinds: tuple[str, ...],
    views: tuple[str, ...],
    jobs: int,
    write: bool,  # noqa: FBT001 (click)
) -> None:
    """Every rule on cases of the simulator: clear offences, near misses, offences that a condition lifts."""
    light: Literal["day", "night"] = "night" if scene == "night" else "day"
    look = SceneOptions(0, scene=light, fps=fps, size=_PIXELS) if pixels else None
    source = f"pictures ({scene}, {fps:g} a second), motion detector" if pixels else "perfect tracks"
    parts, body = [f"# Every rule kind on cases of the simulator, from {source}", "", _ABOUT], {}
    for title, which in (("looked at while developing", seeds), ("never looked at before", fresh)):
        for view in views if which else ():
            result = judge_seeds(which, jobs=jobs, view=view, pixels=look, kinds=kinds or KINDS)
            parts += ["", f"## Seeds {_ranges(which)}, {_SEEN[view]}, {title}", "", *table(result)]
            body[f"{title}, {_SEEN[view]}"] = {
                "seeds": which,
                "rules": {kind: vars(row) for kind, row in result.rows.items() if row.cases},
            }
    text = "\n".join(parts) + "\n"
    click.echo(text)
    if write:
        name = f"accuracy{'_pixels' if pixels else ''}"
        (HERE / f"{name}.md").write_text(text, encoding="utf-8")
        write_json(HERE / f"{name}.json", "accuracy", body)


def table(result: Result) -> list[str]:
    """The table of Markdown, then what is wrong, then what was left open and why."""
    head = (
        "rule",
        "truth",
        "found",
        "missed",
        "false",
        "near misses",
        "lifted",
        "of them told",
        "undecided",
        "suppressed",
    )
    out = [f"| {' | '.join((*head, 'recall, 95 %', 'precision, 95 %'))} |", f"|---{'|--:' * (len(head) + 1)}|"]
    for kind, r in result.rows.items():
        if r.cases:
            sums = (
                r.truth,
                r.found,
                r.truth - r.found,
                r.false,
                r.near_misses,
                r.lifted,
                r.told,
                r.undecided,
                r.suppressed,
            )
            shares = (_interval(r.found, r.truth), _interval(r.found, r.found + r.false))
            out.append(f"| {' | '.join((kind, *map(str, sums), *shares))} |")
    open_truth = sum(r.open_truth for r in result.rows.values())
    out += ["", f"Of the missed, {open_truth} were left undecided." if open_truth else "No offence was left undecided."]
    wrong = Counter((kind, case, what) for _, kind, case, what in result.wrong)
    if wrong:
        out += ["", "Not as it should be:", ""]
        out += [f"- {n} × {kind} {what}, in the case “{case}”" for (kind, case, what), n in sorted(wrong.items())]
    if result.open:
        out += ["", "Left undecided:", ""]
        out += [f"- {n} × {kind} in the case “{case}”: {why}" for (kind, case, why), n in sorted(result.open.items())]
    if result.unseen:
        out += ["", "Left out, because the camera of a seed cannot show them clearly:", ""]
        out += [f"- {n} × {kind}: {case}" for (kind, case), n in sorted(result.unseen.items())]
    return out


def _interval(hits: int, of: int) -> str:
    low, high = wilson(hits, of)
    return f"{hits / of:.3f} ({low:.3f}–{high:.3f})" if of else "–"


def _ranges(seeds: Sequence[int]) -> str:
    return (
        f"{seeds[0]}–{seeds[-1]}" if list(seeds) == list(range(seeds[0], seeds[-1] + 1)) else ", ".join(map(str, seeds))
    )
