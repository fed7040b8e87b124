"""Detection models on real clips beside the truth counted by hand; writes ``real_models.md``.

    python benchmarks/real_models.py [--data ../shared/data] [--write]

The counts are made as in ``real_video.py``, with ``detector = "onnx"`` and default settings. The Hanoi clip has a stop
line and a red that begins in the clip; its signal is read from the lamps of the head on the right, whose amber lamp
cannot be seen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path

from real_video import T0, crossings, sections

HANOI = "hanoi_giangvo_langha.mp4"
HEAD = [(620, 175), (632, 175), (629, 223), (617, 223)]
"""Corners round its lamps in pixels."""
NEAR_S = 0.6
"""A crossing counts as one of the truth when it is within so many seconds of it: the clip has 6 frames a second."""


def detector(model: Path) -> str:
    """The keys of a camera with this model."""
    return f'detector = "onnx"\nmodel = "{model.resolve()}"'


def hanoi_site(data: Path, model: Path, truth: dict[str, object]) -> str:
    """The crossroads: a stop line, the lane before it, one signal group by its lamps."""
    (ax, ay), (bx, by) = truth["stop_line"]  # type: ignore[misc]
    w, h = truth["size"]  # type: ignore[misc]
    line = [[ax / w, ay / h], [bx / w, by / h]]
    return f"""[site]
id = "real"
province = "01"
[[junction]]
id = "j"
[[junction.signal]]
id = "S"
[[camera]]
id = "cam"
junction = "j"
url = "file:{(data / "video" / HANOI).resolve()}"
start_time = {T0}
{detector(model)}
[[camera.zone]]
id = "head"
kind = "signal_head"
polygon = {[[x / w, y / h] for x, y in HEAD]}
signal = "S"
lamps = ["red", "hidden", "green"]
[[camera.lane]]
id = "L"
polygon = {[*line, [1.0, 1.0], [0.0, 1.0]]}
direction = [0.0, -1.0]
signal = "S"
[[camera.line]]
id = "stop"
kind = "stop"
points = {line}
[[camera.rule]]
kind = "red_light"
line = "stop"
"""


def hanoi(data: Path, model: Path) -> str:
    """A row of the table: what was said of the clear crossings, and of what was none."""
    truth = json.loads((data / "video" / f"{HANOI}.gt.json").read_text())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "site.toml").write_text(hanoi_site(data, model, truth))
        command = [sys.executable, "-m", "smartstream", "run", str(folder / "site.toml"), "--no-nats"]
        subprocess.run([*command, "--events", str(folder / "events")], check=True, capture_output=True)
        events = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
    said = [
        (datetime.fromisoformat(e["time"]).timestamp() - T0, e["type"].split(".")[4])
        for e in events
        if e["type"].startswith("vn.ioc.violation.red_light.")
    ]
    on_red = [c["t"] for c in truth["crossings_up_clear"] if c["signal"] == "red"]
    on_amber = [c["t"] for c in truth["crossings_up_clear"] if c["signal"] == "yellow"]

    def of(times: list[float], verb: str) -> int:
        return sum(any(abs(t - at) <= NEAR_S and v == verb for t, v in said) for at in times)

    def beside(verb: str) -> int:
        return sum(v == verb and all(abs(t - at) > NEAR_S for at in on_red) for t, v in said)

    suspected, undecided = of(on_red, "suspected"), of(on_red, "undecided")
    amber = of(on_amber, "suspected") + of(on_amber, "undecided")
    return (
        f"| {model.stem} | {len(on_red)} | {suspected} | {undecided} | "
        f"{beside('suspected')} | {beside('undecided')} | {amber} of {len(on_amber)} |"
    )


def main() -> None:
    """Run every clip and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/real_models.md")
    args = parser.parse_args()
    models = [args.data / "model" / f"{name}.onnx" for name in ("yolox_nano", "FastestDet")]
    rows = ["| model | crossed on red | suspected | undecided | suspected, none | undecided, none | amber called red |"]
    rows += ["|---|---|---|---|---|---|---|", *(hanoi(args.data, model) for model in models), ""]
    rows += [
        "| clip | line | truth | " + " | ".join(f"{m.stem} | by class" for m in models) + " |",
        "|---|---|---|" + "---|---|" * len(models),
    ]
    for name, clips, lines, want in sections(args.data / "video"):
        found = [crossings(clips, lines, detector(model))[0] for model in models]
        for line, *_ in lines:
            row = f"| {name} | {line} | {want[line]} |"
            for one in found:
                here = [c for c in one if c["line"] == line]
                classes = sorted(Counter(str(c["class"]) for c in here).items())
                row += f" {len(here)} | {', '.join(f'{k} {n}' for k, n in classes)} |"
            rows.append(row)
    table = "\n".join(rows)
    print(table)
    if args.write:
        _, _, rest = (__doc__ or "").partition("    python ")
        command, _, about = rest.partition("\n")
        text = f"# Real clips with detection models\n\nBy `python {command}`.\n{about}\n{table}\n"
        (Path(__file__).parent / "real_models.md").write_text(text)


if __name__ == "__main__":
    main()
