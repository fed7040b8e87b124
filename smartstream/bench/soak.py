"""``smartstream bench soak``: many cameras at once for minutes, one of them broken: memory, drops, harm.

Each camera is the same drawn clip, played at its own pace like a live one, through everything a live camera passes
but the network: receiver, queue with shedding, packet ring, decoder, detector, tracker. One gets a file whose second
half is noise. What is read must be decoded or counted as left out, camera by camera; memory must stay where it was
when the rings were full; and the others must lose nothing but what the machine was too slow for.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from smartstream import _core
from smartstream.bench.report import gate, json_option, print_gates, print_table, write_json
from smartstream.errors import UnavailableError
from smartstream.model.time import NS
from smartstream.options import Size

T0: Final = 1_790_000_000 * NS
PIECE_S: Final = 20
"""Length of the drawn piece that the clip repeats."""
RING_S: Final = 15.0
FLAT: Final = 1.05
"""Memory of the last third over that of the second third."""


def draw_clip(path: Path, seconds: int, size: tuple[int, int]) -> None:
    """A clip of moving shapes with a sensor's noise, 25 fps, a key frame a second, no B-frames.

    Raises:
        UnavailableError: There is no ffmpeg, or it cannot encode H.264.
    """
    if shutil.which("ffmpeg") is None:
        raise UnavailableError("bench soak needs the ffmpeg command to make its clip")
    piece = path.with_name("piece.mp4")
    source = f"testsrc2=size={size[0]}x{size[1]}:rate=25:duration={min(seconds, PIECE_S)}"
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "25", "-b:v", "2M"]
    noise = ["-vf", "noise=alls=6:allf=t:all_seed=7,format=yuv420p"]
    commands = (
        ["-f", "lavfi", "-i", source, *noise, *encode, str(piece)],
        ["-stream_loop", "-1", "-i", str(piece), "-t", str(seconds), "-c", "copy", str(path)],
    )
    for command in commands:
        done = subprocess.run(["ffmpeg", "-v", "error", "-y", *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UnavailableError(f"ffmpeg cannot make the clip: {done.stderr.strip()}")


def break_clip(whole: Path, broken: Path) -> None:
    """The same file with noise in the pictures of its second half."""
    data = bytearray(whole.read_bytes())
    rng = np.random.default_rng(1)
    # The index of an MP4 as ffmpeg writes it stands at the end; the last twentieth is left alone.
    for at in rng.integers(len(data) // 2, len(data) * 19 // 20, 4000):
        data[at : at + 8] = rng.bytes(8)
    broken.write_bytes(data)


def rss_mb() -> float:
    """Memory of this process, as the kernel counts it."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096 / 2**20


def soak(clip: Path, broken: Path, cameras: int, shed: str) -> dict[str, Any]:
    """Play the clips to their ends; counts of every camera, memory by the second, seconds taken."""
    runs = {}
    for i in range(cameras):
        name = f"cam-{i:02}" if i else "broken"
        live = {"url": f"file:{clip if i else broken}", "shed": shed, "ring_s": RING_S}
        config = {"camera": name, "start_time_ns": T0, "live": live}
        runs[name] = _core.CameraRun(json.dumps(config).encode())
    told: dict[str, int] = dict.fromkeys(runs, 0)
    memory: list[float] = []
    open_runs, begun = set(runs), time.monotonic()
    while open_runs:
        for name in tuple(open_runs):
            for item in runs[name].poll(100):
                if item[0] == "dead":
                    told[name] += item[6]
                elif item[0] == "end":
                    open_runs.discard(name)
        if time.monotonic() - begun >= len(memory):
            memory.append(rss_mb())
        time.sleep(0.02)
    seconds = time.monotonic() - begun
    counts = {name: run.counts() for name, run in runs.items()}
    for run in runs.values():
        run.close()
    return {"cameras": counts, "told": told, "memory_mb": memory, "seconds": seconds}


def judge(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The goals."""
    rows = found["cameras"]

    def lost(row: dict[str, int], *, shed: bool) -> int:
        return sum(n for k, n in row.items() if k.startswith("lost_") and k.startswith("lost_shed_") is shed)

    whole = {name: row for name, row in rows.items() if name != "broken"}
    received = sum(row["packets_received"] for row in whole.values())
    accounted = sum(row["frames_decoded"] + row.get("lost_shed_latest", 0) for row in whole.values())
    told = sum(found["told"][name] == lost(row, shed=True) + lost(row, shed=False) for name, row in rows.items())
    unharmed = sum(lost(row, shed=False) == 0 and row["gaps"] == 0 for row in whole.values())
    third = len(found["memory_mb"]) // 3
    late, middle = max(found["memory_mb"][2 * third :]), max(found["memory_mb"][third : 2 * third] or [1.0])
    damage = lost(rows["broken"], shed=False) + rows["broken"]["frames_doubtful"]
    return [
        gate("packets decoded or counted as left out, of those read", accounted / received, 1),
        gate("cameras whose losses were all told", told / len(rows), 1),
        gate("memory of the second third, and 5 %, over the last third's", FLAT * middle / late, 1),
        gate("whole cameras that lost only what the machine was too slow for", unharmed / len(whole), 1),
        gate("damaged pictures told by the broken camera", damage, 1),
    ]


@click.command(name="soak")
@click.option(
    "--cameras", type=click.IntRange(2, 1000), default=16, show_default=True, help="How many, the broken one included."
)
@click.option("--seconds", type=click.IntRange(6, 86_400), default=600, show_default=True, help="How long.")
@click.option("--size", type=Size(), default="1280x720", show_default=True, help="Picture in pixels.")
@click.option(
    "--shed",
    type=click.Choice(["latest", "every-nth", "block"]),
    default="latest",
    show_default=True,
    help="What is left out.",
)
@json_option("soak")
def bench(cameras: int, seconds: int, size: tuple[int, int], shed: str, output: Path) -> None:
    """Many cameras at once: is memory flat, is every drop counted, does a broken one harm the others?"""
    with tempfile.TemporaryDirectory(prefix="smartstream-soak-") as folder:
        clip, broken = Path(folder) / "clip.mp4", Path(folder) / "broken.mp4"
        draw_clip(clip, seconds, size)
        break_clip(clip, broken)
        found = soak(clip, broken, cameras, shed)
    rows = [
        (name, r["packets_received"], r["frames_decoded"], r["frames_seen"], r["frames_doubtful"],
         sum(n for k, n in r.items() if k.startswith("lost_shed_")),
         sum(n for k, n in r.items() if k.startswith("lost_") and not k.startswith("lost_shed_")))
        for name, r in sorted(found["cameras"].items())
    ]  # fmt: skip
    print_table(("camera", "packets", "decoded", "seen", "doubtful", "shed", "lost"), rows)
    memory = found["memory_mb"]
    click.echo(f"memory: {memory[0]:.0f} MiB at the start, {max(memory):.0f} at most, {memory[-1]:.0f} at the end")
    gates = judge(found)
    print_gates(gates)
    settings = {"cameras": cameras, "seconds": seconds, "size": f"{size[0]}x{size[1]}", "shed": shed}
    write_json(output, "soak", {"settings": settings, **found, "gates": gates})
