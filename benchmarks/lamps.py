"""How well lamps are read from simulated scenes, and what reading them costs.

    smartstream simulate OUT/night --seed 8102 --scene night …
    python benchmarks/lamps.py OUT/night …

Every scene has the zones of its heads in `truth.json`, and what they truly showed in `signals.ndjson`. Told
are the shares of time in which the reading was right, wrong or unknown, by true state, and how far both ends
of the interval in which the reading places a change lie from the true instant.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from smartstream import _core
from smartstream.model.time import NS

State = tuple[float, str]


def follow(config: dict[str, Any]) -> tuple[dict[str, list[tuple[float, float, str]]], float, int]:
    """Changes (after, since, state) by group, CPU seconds, and frames."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    run, changes, ended = _core.CameraRun(json.dumps(config).encode()), defaultdict(list), False
    while not ended:
        for item in run.poll(100):
            if item[0] == "lamps":
                for group, state, after, since, _ in item[1]:
                    changes[group].append((after / NS, since / NS, state))
            ended = ended or item == ("end",)
        time.sleep(0.02)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return changes, cpu, run.counts()["frames_decoded"]


def shares(truth: list[State], read: list[tuple[float, float, str]], end: float) -> dict[str, dict[str, float]]:
    """Seconds right, wrong and unknown by true state, in steps of ten milliseconds."""
    out: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(("right", "wrong", "unknown"), 0.0))
    for k in range(round(end * 100)):
        t = k / 100
        true = [s for at, s in truth if at <= t][-1]
        said = ([s for _, since, s in read if since <= t] or ["unknown"])[-1]
        out[true]["right" if said == true else "unknown" if said == "unknown" else "wrong"] += 0.01
    return out


def main(folders: list[Path]) -> None:
    """A table of all scenes."""
    print("| scene | lamp px | state | right | wrong | unknown | changes | placed, ms (median) | worst |")
    print("|---|---|---|---|---|---|---|---|---|")
    for folder in folders:
        truth = json.loads((folder / "truth.json").read_text())
        t0 = truth["t0"]
        lines = [json.loads(line) for line in (folder / "signals.ndjson").read_text().splitlines()]
        heads = [
            {"zone": h["signal"], "polygon": h["polygon"], "groups": [h["signal"]], "lamps": h["lamps"]}
            for h in truth["signal_heads"]
        ]
        config = {"camera": "c", "files": [str(folder / "scene.mp4")], "start_time_ns": 0}
        changes, with_cpu, frames = follow(config | {"heads": heads})
        _, without_cpu, _ = follow(config)
        sums: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(("right", "wrong", "unknown"), 0.0))
        delays: dict[str, list[tuple[float, float]]] = defaultdict(list)
        missed: dict[str, int] = defaultdict(int)
        for head in truth["signal_heads"]:
            group = head["signal"]
            true = [(line["time"] - t0, line["state"]) for line in lines if line["signal"] == group]
            for state, found in shares(true, changes[group], truth["seconds"]).items():
                for key, seconds in found.items():
                    sums[state][key] += seconds
            for at, state in true[1:]:
                near = [(a - at, s - at) for a, s, said in changes[group] if said == state and abs(s - at) < 3]
                if near:
                    delays[state].append(near[0])
                else:
                    missed[state] += 1
        px = min(_core.lamp_size_px(json.dumps(h).encode(), tuple(truth["size"])) for h in heads)
        for state, found in sorted(sums.items()):
            whole = sum(found.values())
            row = " | ".join(f"{found[key] / whole:.2%}" for key in ("right", "wrong", "unknown"))
            told = delays[state]
            placed, worst = "–", "–"
            if told:
                early, late = ([1000 * d[i] for d in told] for i in (0, 1))
                placed = f"{statistics.median(early):.0f} … {statistics.median(late):.0f}"
                worst = f"{min(early):.0f} … {max(late):.0f}"
            found_of = f"{len(told)} of {len(told) + missed[state]}"
            print(f"| {folder.name} | {px:.1f} | {state} | {row} | {found_of} | {placed} | {worst} |")
        cost, bare = (1e3 * cpu / frames for cpu in (with_cpu, without_cpu))
        print(f"{folder.name}: {cost:.3f} ms of CPU a frame with heads, {bare:.3f} without", file=sys.stderr)


if __name__ == "__main__":
    main([Path(arg) for arg in sys.argv[1:]])
