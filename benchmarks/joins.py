"""Joins scored on cities they have not seen: ``python benchmarks/joins.py --write`` makes ``joins.md`` again.

Each seed is simulated (``smartstream simulate --scenario city``), run whole (``smartstream run``) and scored
(``smartstream score``): tracks, signals, gauges, reports and duty rosters go through the same sources, rules and joins
as a city's own. Truth is what happened, never what a join would need; look-alikes, noise, silent stations and covered
cameras are in it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from smartstream.score_joins import JoinScore, join_table, score_cities

SEEDS = tuple(range(5821, 5831))  # used for nothing but the table
HOURS = 2.0


def play(seed: int, hours: float, folder: Path) -> tuple[Path, Path]:
    """Truth and events of a seed; what stands in the folder already is not simulated again."""
    city, begun = folder / f"city-{seed}", time.monotonic()
    me = [sys.executable, "-m", "smartstream"]
    if not (city / "site.toml").exists():
        make = [*me, "simulate", city, "--scenario", "city", "--seed", seed, "--hours", hours]
        subprocess.run([str(part) for part in make], check=True, capture_output=True)
    run = [*me, "run", city / "site.toml", "--no-nats", "--events", city / "events"]
    subprocess.run([str(part) for part in run], check=True, capture_output=True)
    print(f"seed {seed}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return city / "truth.json", city / "events"


def as_text(sums: dict[str, JoinScore]) -> str:
    """The table in Markdown."""
    rows = join_table(sums)
    lines = [f"| {' | '.join(rows[0])} |", f"|{'---|' * len(rows[0])}"]
    for row in rows:
        said = ["–" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()]
        lines.append(f"| {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write joins.md")
    parser.add_argument("--seeds", type=int, nargs="+", help="other seeds")
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--jobs", type=int, default=1, help="cities side by side")
    parser.add_argument("--keep", type=Path, help="folder for the cities; without it they are thrown away")
    args = parser.parse_args()
    seeds = tuple(args.seeds or SEEDS)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(args.jobs) as pool:
        folder = args.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        played = list(pool.map(lambda seed: play(seed, args.hours, folder), seeds))
        text = as_text(score_cities(played))
    sys.stdout.write(text)
    if args.write:
        said = (__doc__ or "").split("\n", 2)[2].strip()
        head = f"# Joins on unseen cities\n\n{said}\n\nSeeds {seeds[0]} to {seeds[-1]}, {args.hours:g} hours each.\n\n"
        Path(__file__).with_suffix(".md").write_text(head + text, encoding="utf-8")


if __name__ == "__main__":
    main()
