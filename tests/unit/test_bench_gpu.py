"""The search of ``bench gpu``, and its measurement where onnxruntime stands in for a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from onnx_models import bright_is_a_car

from smartstream.bench import gpu
from smartstream.bench.gpu import Measured, bench, measure, most_held
from smartstream.errors import InvalidInputError
from smartstream.vision.detector import DetectorSettings
from smartstream.vision.service import detector_service

CLIP = Path(__file__).parents[2] / "smartstream/demo/clip/scene.mp4"


@pytest.mark.parametrize("most", [0, 1, 5, 16, 37, 100, 1000])
def test_the_most_cameras_held_are_found_to_an_eighth(most: int) -> None:
    def try_with(cameras: int) -> Measured:
        late = 100.0 if cameras <= most else 300.0
        return Measured(cameras=cameras, looks_s=8.3, p50_ms=50.0, p95_ms=late, left_out=0, lost=0)

    for first in (1, 16):
        tried = most_held(try_with, first)
        held = max((m.cameras for m in tried if m.held), default=0)
        assert held <= most
        assert most - held <= max(1, held // 8)
        assert len(tried) < 20


def test_cameras_are_measured_together(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    service, identity = detector_service("onnx", DetectorSettings(model=bright_is_a_car(tmp_path / "m.onnx")))
    found = measure(CLIP, service, identity, 2, 0.5)
    assert (found.cameras, found.lost) == (2, 0)
    assert found.looks_s > 0
    assert 0 < found.p50_ms <= found.p95_ms < 60_000


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_a_machine_without_a_gpu_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(InvalidInputError, match=r"^bench gpu: .*(found no NVIDIA|not installed)[^\n]*$"):
        CliRunner().invoke(bench, ["--model", str(tmp_path / "m.onnx")], catch_exceptions=False)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(InvalidInputError, match="cuda-bindings is not installed"):
        CliRunner().invoke(bench, ["--model", str(tmp_path / "m.onnx")], catch_exceptions=False)


def test_the_peer_is_measured_on_the_same_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measured(detector: str, _model: Path, clip: Path, *_: object) -> list[Measured]:
        asked.append((detector, clip))
        return [Measured(cameras=16, looks_s=8.3, p50_ms=50.0, p95_ms=100.0, left_out=0, lost=0)]

    monkeypatch.setattr(gpu, "_measured", measured)
    monkeypatch.setattr(gpu, "Device", lambda: SimpleNamespace(name="a GPU"))
    (tmp_path / "m.onnx").write_bytes(b"")
    words = ["--model", str(tmp_path / "m.onnx"), "--clip", str(CLIP), "--json", str(tmp_path / "out.json"), "--peers"]
    done = CliRunner().invoke(bench, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert [name for name, _ in asked] == ["tensorrt", "onnx"]
    assert asked[0][1] == asked[1][1]
    assert json.loads((tmp_path / "out.json").read_text())["held"] == {"tensorrt": 16, "onnx": 16}
