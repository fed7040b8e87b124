"""Scored accuracy on rendered scenes; writes ``scenes.md``.

    python benchmarks/scenes.py [--shared ../shared] [--seeds 901 902 …] [--tracks | --model MODEL.onnx] [--write]

The scenes that came with the task are one table; scenes of our own simulator, with seeds that nobody used while
developing, stand beside it. ``--tracks`` judges perfect tracks instead of the picture, ``--model`` what a
model sees.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
SMARTSTREAM = [sys.executable, "-m", "smartstream"]
Pairs = list[tuple[Path, Path]]


def run(site: Path, events: Path, model: Path | None) -> None:
    """One scene to its event file."""
    if model is not None:
        detector = f'detector = "onnx"\nmodel = "{model.resolve()}"'
        site.write_text(site.read_text().replace('detector = "motion"', detector))
    events.unlink(missing_ok=True)
    command = [*SMARTSTREAM, "run", str(site), "--no-nats", "--events", str(events)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{site}: {done.stderr}")


def score(pairs: Pairs) -> str:
    """The table of ``smartstream score``."""
    flat = [str(p) for pair in pairs for p in pair]
    return subprocess.run([*SMARTSTREAM, "score", *flat], capture_output=True, text=True, check=True).stdout


def left_open(pairs: Pairs) -> list[str]:
    """Why verdicts were left open, as lines of Markdown."""
    why: Counter[tuple[str, str]] = Counter()
    for _, events in pairs:
        for line in events.read_text().splitlines():
            event = json.loads(line)
            if event["type"].endswith(".undecided.v1"):
                why[event["data"]["kind"], ", ".join(event["data"]["reasons"])] += 1
    return ["Left undecided:", "", *(f"- {n} × {kind}: {reasons}" for (kind, reasons), n in sorted(why.items())), ""]


def section(title: str, pairs: Pairs) -> list[str]:
    """A table with its heading, and what was left open."""
    table = [line.rstrip() for line in score(pairs).strip("\n").splitlines()]
    return [f"## {title}", "", "```", *table, "```", "", *left_open(pairs)]


def shared_scenes(shared: Path, folder: Path, *, tracks: bool, model: Path | None) -> Pairs:
    """(truth, events) of the scenes that came with the task; site files by the tool beside them, as written."""
    pairs = []
    for name in ("day", "night", "shaky", *(("long",) if tracks else ())):
        scene = shared / "scenes" / name
        tool = [sys.executable, str(shared / "tools/site_from_truth.py"), str(scene), *(["--tracks"] if tracks else [])]
        site = folder / f"{name}.toml"
        site.write_text(subprocess.run(tool, capture_output=True, text=True, check=True).stdout)
        run(site, folder / f"{name}.ndjson", model)
        pairs.append((scene / "truth.json", folder / f"{name}.ndjson"))
    return pairs


def simulated(seeds: list[int], folder: Path, *, tracks: bool, model: Path | None) -> Pairs:
    """(truth, events) of scenes of our own; odd seeds by day, even ones at night."""
    pairs = []
    for seed in seeds:
        out = folder / f"seed-{seed}"
        light = "day" if seed % 2 else "night"
        more = ["--no-video"] if tracks else []
        command = [*SMARTSTREAM, "simulate", str(out), "--seed", str(seed), "--seconds", "90", "--scene", light, *more]
        if not (out / "truth.json").is_file():
            subprocess.run(command, check=True, capture_output=True)
        looked = "tracks" if tracks else "motion" if model is None else model.stem
        site, events = out / f"{looked}.toml", out / f"{looked}.ndjson"
        text = (out / "site.toml").read_text()
        site.write_text(text.replace("file:scene.mp4", "tracks:tracks.ndjson.gz") if tracks else text)
        run(site, events, model)
        pairs.append((out / "truth.json", events))
    return pairs


def main() -> None:
    """Run and print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shared", type=Path, default=HERE.parents[1] / "shared")
    parser.add_argument("--seeds", type=int, nargs="*", default=[901, 902, 903, 904, 905])
    parser.add_argument("--tracks", action="store_true", help="perfect tracks instead of the picture")
    parser.add_argument("--model", type=Path, help="a detection model instead of the motion detector")
    parser.add_argument("--scenes", type=Path, help="folder in which the simulated scenes stay, for another run")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/scenes*.md")
    args = parser.parse_args()
    looked = "motion detector" if args.model is None else args.model.name
    source = "perfect tracks" if args.tracks else f"pictures, {looked}"
    parts = [f"# Rendered scenes, {source}", "", "By `python benchmarks/scenes.py`.", ""]
    with tempfile.TemporaryDirectory() as name:
        if args.shared.is_dir():
            pairs = shared_scenes(args.shared, Path(name), tracks=args.tracks, model=args.model)
            parts += section("Scenes that came with the task, pooled", pairs)
        if args.seeds:
            scenes = args.scenes or Path(name)
            pairs = simulated(args.seeds, scenes, tracks=args.tracks, model=args.model)
            parts += section(f"Our simulator, seeds {args.seeds}, pooled", pairs)
    text = "\n".join(parts)
    print(text)
    if args.write:
        kind = "_tracks" if args.tracks else "" if args.model is None else "_model"
        (HERE / f"scenes{kind}.md").write_text(text)


if __name__ == "__main__":
    main()
