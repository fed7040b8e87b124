"""`smartstream demo`: the whole system on a clip that travels with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CLIP: Final = Path(__file__).parent / "clip"
"""Folder of the clip: ``scene.mp4``, ``signals.ndjson``, ``truth.json``, ``site.toml``, ``tracks.ndjson.gz``.

Made by the command in its ``README.md``; tests may use it as a small fixture.
"""
