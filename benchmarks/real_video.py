"""Counts on real clips beside the truth counted by hand; writes ``real_video.md``.

    python benchmarks/real_video.py [--data ../shared/data/video] [--write]

Each clip is run by ``smartstream run`` with a site file made here from the clip's truth: its counting lines in
picture units, no calibration, default settings for all. The table is what came out, good or bad.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

T0 = 1_790_000_000
Point = tuple[float, float]
Line = tuple[str, Point, Point]


def site_text(clips: list[Path], lines: list[Line], more: str = "") -> str:
    """A site with one camera, ``more`` of its keys, and the given counting lines (normalised)."""
    urls = ", ".join(json.dumps(f"file:{clip.resolve()}") for clip in clips)
    text = f"""[site]
id = "real"
province = "19"
[[junction]]
id = "j"
[[camera]]
id = "cam"
junction = "j"
url = [{urls}]
start_time = {T0}
{more}
"""
    for name, a, b in lines:
        text += f'[[camera.line]]\nid = "{name}"\nkind = "count"\npoints = [[{a[0]}, {a[1]}], [{b[0]}, {b[1]}]]\n'
    return text


def crossings(clips: list[Path], lines: list[Line], more: str = "") -> tuple[list[dict[str, object]], dict[str, int]]:
    """Crossings that ``smartstream run`` reports, and the camera's own totals."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site, events, summary = folder / "site.toml", folder / "events", folder / "summary.json"
        site.write_text(site_text(clips, lines, more))
        command = [sys.executable, "-m", "smartstream", "run", str(site), "--no-nats"]
        subprocess.run([*command, "--events", str(events), "--summary", str(summary)], check=True, capture_output=True)
        found = [json.loads(line) for line in events.read_text().splitlines()]
        kept = [e["data"] | {"time": e["time"]} for e in found if e["type"] == "vn.ioc.traffic.crossing.observed.v1"]
        return kept, json.loads(summary.read_text())["sides"]["cam"]


def sections(data: Path) -> list[tuple[str, list[Path], list[Line], dict[str, int]]]:
    """(name, clips, lines, true count by line) of every clip with a truth."""

    def norm(points: list[list[float]], size: list[int]) -> list[Point]:
        return [(round(x / size[0], 5), round(y / size[1], 5)) for x, y in points]

    truth = json.loads((data / "radeberg_1311.gt.json").read_text())
    lines: list[Line] = []
    want: dict[str, int] = {}
    for section, points in truth["sections_px"].items():
        a, b = norm(points, [800, 600])
        lines.append((section.split()[1], a, b))
        want[section.split()[1]] = sum(truth["counts"].get(section, {}).values())
    clips = [data / "radeberg_1311_00.mp4", data / "radeberg_1311_10.mp4"]
    out = [("radeberg_1311 (two files, one run)", clips, lines, want)]
    for name in ("us_side_street.mp4", "intel_car_detection.mp4", "bgslib_overhead.avi"):
        truth = json.loads((data / f"{name}.gt.json").read_text())
        a, b = norm(truth["line"], truth["size"])
        out.append((name, [data / name], [("line", a, b)], {"line": sum(truth["totals"].values())}))
    return out


def main() -> None:
    """Run every clip and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data/video")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/real_video.md")
    args = parser.parse_args()
    rows = ["| clip | line | truth | found | by direction | by class |", "|---|---|---|---|---|---|"]
    for name, clips, lines, want in sections(args.data):
        found, _ = crossings(clips, lines)
        for line, *_ in lines:
            here = [c for c in found if c["line"] == line]
            ways = ", ".join(f"{k} {n}" for k, n in sorted(Counter(str(c["direction"]) for c in here).items()))
            classes = ", ".join(f"{k} {n}" for k, n in sorted(Counter(str(c["class"]) for c in here).items()))
            rows.append(f"| {name} | {line} | {want[line]} | {len(here)} | {ways} | {classes} |")
    rows += ["", "| clip | frames decoded |", "|---|---|"]
    for clip in sorted(p for p in args.data.iterdir() if p.suffix in (".mp4", ".avi", ".h264")):
        _, totals = crossings([clip], [("middle", (0.0, 0.5), (1.0, 0.5))])
        rows.append(f"| {clip.name} | {totals.get('frames_decoded', 0)} |")
    table = "\n".join(rows)
    print(table)
    if args.write:
        text = f"# Real clips: found beside the truth\n\nBy `python benchmarks/real_video.py --write`.\n\n{table}\n"
        (Path(__file__).parent / "real_video.md").write_text(text)


if __name__ == "__main__":
    main()
