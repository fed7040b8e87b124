"""Decoding on a GPU where there is one: the same events as on the CPU; where there is none, one line and the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from smartstream import _core
from smartstream.errors import UnavailableError

CLIP = Path(__file__).parents[2] / "smartstream/demo/clip"


def events(folder: Path, decoder: str) -> tuple[set[str], str]:
    """Event lines of the demo's scene, and what was said."""
    out = folder / decoder
    words = ["run", str(CLIP / "site.toml"), "--no-nats", "--events", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "smartstream", *words],
        env=os.environ | {"SMARTSTREAM_DECODER": decoder},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(out.read_text().splitlines()), done.stderr


def has_nvdec() -> bool:
    try:
        _core.use_nvdec()
    except UnavailableError as e:
        said = str(e)
    else:
        return True
    assert said.startswith("no NVDEC on this machine, or not in this FFmpeg (")
    return False


def test_the_same_events_wherever_it_is_decoded(tmp_path: Path) -> None:
    by_cpu, _ = events(tmp_path, "cpu")
    found, said = events(tmp_path, "nvdec")
    assert found == by_cpu
    assert len(found) > 3
    assert "Traceback" not in said
    assert said.count("cameras are decoded on the CPU") == (0 if has_nvdec() else 1)
