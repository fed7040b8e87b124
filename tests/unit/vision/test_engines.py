"""TensorRT engines: parsed and built for real where no GPU is, kept whole, found again; and who lacks what is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from onnx_models import SIDE, bright_is_a_car

from smartstream.cli.engine import engine as command
from smartstream.errors import InvalidInputError, SmartstreamError
from smartstream.vision.detector import DetectorSettings, open_detector
from smartstream.vision.gpu import cuda
from smartstream.vision.gpu.builder import Library, find_library
from smartstream.vision.gpu.cache import EngineCache, EngineLabel
from smartstream.vision.gpu.detector import batch_sizes
from smartstream.vision.gpu.engine import Plan, engine_for
from smartstream.vision.gpu.onnx_file import metadata
from smartstream.vision.layouts import Port

SHARED = Path(__file__).parents[4] / "shared/data/model"


@pytest.fixture(scope="session")
def library() -> Library:
    pytest.importorskip(
        "tensorrt_rtx", reason="tensorrt_rtx is not installed: ./dev setup tries to", exc_type=Exception
    )
    return Library(sys.modules["tensorrt_rtx"], "tensorrt_rtx")


def has_driver() -> bool:
    try:
        cuda.Device()
    except SmartstreamError:
        return False
    return True


# ── building ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_engine_is_built_without_a_gpu_and_found_again(library: Library, tmp_path: Path) -> None:
    model = bright_is_a_car(tmp_path / "m.onnx", imgsz="[64, 64]")
    cache = EngineCache(tmp_path / "engines")
    label, built = engine_for(Plan(model, (1, 4)), library, None, cache)
    assert (label.name, label.gpu, label.batch) == ("m.onnx", "any", (1, 4))
    assert label.inputs == (Port("images", (None, 3, SIDE, SIDE)),)
    assert label.outputs == (Port("output0", (None, 1, 6)),)
    assert label.stated == {"names": "{0: 'car', 1: 'person'}", "imgsz": "[64, 64]"}
    assert len(built) > 1000
    path = cache.path(label)
    before = path.stat().st_mtime_ns
    found, found_built = engine_for(Plan(model, (1, 4)), library, None, cache)
    assert (msgspec.structs.replace(found, digest=""), found_built) == (label, built)
    assert path.stat().st_mtime_ns == before
    # Damage is seen, and mended.
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes(100))
    again, _ = engine_for(Plan(model, (1, 4)), library, None, cache)
    assert again.key == label.key
    mended = path.stat().st_mtime_ns
    assert engine_for(Plan(model, (1, 4)), library, None, cache)[0].key == label.key
    assert path.stat().st_mtime_ns == mended != before, "built anew, then found whole"
    assert list((tmp_path / "engines").iterdir()) == [path]


def test_a_fixed_batch_is_the_models_and_half_precision_its_own(library: Library, tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    label, _ = engine_for(Plan(bright_is_a_car(tmp_path / "two.onnx", 2)), library, None, cache)
    assert label.batch == (2,)
    half, _ = engine_for(Plan(bright_is_a_car(tmp_path / "half.onnx", half=True)), library, None, cache)
    assert half.batch == (16,)
    assert len({label.key for label, _ in cache.list()}) == 2


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not there")
@pytest.mark.parametrize("name", ["yolox_nano", "FastestDet"])
def test_real_models_are_built(library: Library, tmp_path: Path, name: str) -> None:
    label, built = engine_for(Plan(SHARED / f"{name}.onnx"), library, None, EngineCache(tmp_path))
    assert label.batch == (1,)
    assert len(built) > 1 << 20


def test_the_library_still_has_every_name_that_a_gpu_will_be_asked_by(library: Library) -> None:
    trt = library.module
    for kind, names in {
        trt.Runtime: "deserialize_cuda_engine",
        trt.ICudaEngine: "create_execution_context get_tensor_dtype",
        trt.IExecutionContext: "set_optimization_profile_async set_input_shape get_tensor_shape set_tensor_address "
        "execute_async_v3",
    }.items():
        for name in names.split():
            assert hasattr(kind, name), f"{kind.__name__}.{name}"
    assert np.dtype(trt.nptype(trt.DataType.HALF)) == np.float16


@pytest.mark.parametrize("content", [b"", b"Ng\xc3\xa3 t\xc6\xb0", b"\x08\x08\x12\x07pytorch"])
def test_what_is_no_model_is_refused_in_one_line(library: Library, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"^model no\.onnx: tensorrt_rtx .* cannot parse it \(.*\)$"):
        engine_for(Plan(path), library, None, EngineCache(tmp_path))
    with pytest.raises(InvalidInputError, match="cannot be opened"):
        engine_for(Plan(tmp_path / "absent.onnx"), library, None, EngineCache(tmp_path))


@pytest.mark.parametrize(
    ("asked", "says"), [([4, 1], "rising"), ([0], "1 to 256"), ([], "numbers"), (["4"], "numbers")]
)
def test_batches_that_make_no_sense_are_refused(asked: list[Any], says: str) -> None:
    with pytest.raises(InvalidInputError, match=f"model m.onnx: found batch .*{says}"):
        Plan(Path("m.onnx"), batch_sizes("m.onnx", asked))
    assert batch_sizes("m.onnx", 4) == (4,)


def test_engines_are_listed_by_the_command_line(library: Library, tmp_path: Path) -> None:
    model = str(bright_is_a_car(tmp_path / "m.onnx"))
    words = ["--cache", str(tmp_path / "engines")]
    done = CliRunner().invoke(command, ["build", model, "--batch", "2", *words], catch_exceptions=False)
    assert done.exit_code == 0
    (tmp_path / "engines/other.engine").write_bytes(b"no engine of ours")
    listed = CliRunner().invoke(command, ["list", "--json", *words], catch_exceptions=False)
    (row,) = msgspec.json.decode(listed.output)
    assert (row["name"], row["batch"], row["asked"]["gpu"]) == ("m.onnx", [2], "any")
    assert row["key"] in CliRunner().invoke(command, ["list", *words], catch_exceptions=False).output


# ── the cache alone ──────────────────────────────────────────────────────────────────────────────────────


def test_everything_that_is_asked_for_is_part_of_the_key() -> None:
    asked = {"model": "a", "library": "tensorrt 11.4.0", "gpu": "NVIDIA H200, 9.0", "batch": [16], "size": None}
    other = {"model": "b", "library": "tensorrt 11.5.0", "gpu": "NVIDIA L4, 8.9", "batch": [8], "size": [640, 352]}
    keys = {EngineCache.key(asked)} | {EngineCache.key(asked | {name: other[name]}) for name in asked}
    assert len(keys) == 1 + len(asked)
    assert EngineCache.key(dict(reversed(asked.items()))) == EngineCache.key(asked)


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    label = EngineLabel(
        key="k", asked={}, name="m", inputs=(), outputs=(), batch=(1,), stated={}, build_s=0.0
    )  # fmt: skip
    with pytest.raises(SmartstreamError, match="the engine cannot be kept"):
        EngineCache(tmp_path / "file").keep(label, b"")
    assert list(EngineCache(tmp_path / "nowhere").list()) == []


# ── without a GPU ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(has_driver(), reason="this machine has a GPU")
def test_a_machine_without_a_gpu_says_so_in_one_line(library: Library, tmp_path: Path) -> None:
    settings = DetectorSettings(model=bright_is_a_car(tmp_path / "m.onnx"))
    with pytest.raises(InvalidInputError) as e:
        open_detector("tensorrt", settings)
    assert "detector tensorrt: " in str(e.value)
    assert 'detector "onnx" runs the same model on the CPU' in str(e.value)
    assert "\n" not in str(e.value)


def test_a_machine_without_tensorrt_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(InvalidInputError, match=r"pip install 'smartstream\[tensorrt\]'"):
        find_library()
    old = ModuleType("tensorrt")
    old.__version__ = "8.6.1"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(InvalidInputError, match=r"tensorrt: found 8\.6\.1, expected 10 or later"):
        find_library()


def bare(kind: type, **attributes: Any) -> Any:
    made = kind.__new__(kind)
    made.__dict__.update(attributes)
    return made


@pytest.mark.skipif(has_driver(), reason="this machine has a GPU: its driver would take the calls at their word")
def test_the_driver_is_called_as_its_bindings_want_it() -> None:
    """The bindings look at the arguments before they look for the driver: what is wrong would be a TypeError."""
    cu = pytest.importorskip("cuda.bindings.driver", exc_type=ImportError, reason="cuda-bindings is not installed")
    from ctypes import c_int, c_void_p

    device = bare(cuda.Device, _device=cu.CUdevice(0), _context=cu.CUcontext(0))
    memory = bare(cuda.Memory, at=1, size=8)
    pinned = bare(cuda.Pinned, _at=1, array=np.zeros(8, np.uint8))
    stream = bare(cuda.Stream, _stream=cu.CUstream(0))
    graph = bare(cuda.Graph, _stream=cu.CUstream(0), _ready=cu.CUgraphExec(0), _graph=cu.CUgraph(0))
    kernel = bare(cuda.Kernel, _module=cu.CUmodule(0), _function=cu.CUfunction(0), _kinds=(c_void_p, c_int))
    calls: list[Callable[[], Any]] = [
        device.open, device.close, lambda: cuda.Memory(8), lambda: memory.write(np.zeros(1)), memory.close,
        lambda: cuda.Pinned(8), pinned.close, cuda.Stream, lambda: stream.upload(1, 2, 3),
        lambda: stream.download(1, 2, 3), stream.wait, stream.close, lambda: stream.record(lambda: None),
        graph.launch, graph.close, lambda: cuda.Kernel(b"", "prepare", ()),
        lambda: kernel.launch(stream, (1, 1, 1), (32, 8, 1), (1, 2)), kernel.close,
    ]  # fmt: skip
    for one in calls:
        with pytest.raises(RuntimeError, match="driver"):
            one()
    # Not reached without a driver, because another call comes before it.
    for name, words in {
        "cuDeviceGetName": (128, cu.CUdevice(0)), "cuDeviceTotalMem": (cu.CUdevice(0),), "cuDriverGetVersion": (),
        "cuDeviceGetAttribute": (cu.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, cu.CUdevice(0)),
        "cuDevicePrimaryCtxRetain": (cu.CUdevice(0),), "cuCtxSynchronize": (), "cuStreamEndCapture": (cu.CUstream(0),),
        "cuGraphInstantiate": (cu.CUgraph(0), 0), "cuGraphDestroy": (cu.CUgraph(0),),
        "cuModuleGetFunction": (cu.CUmodule(0), b"prepare"),
    }.items():  # fmt: skip
        with pytest.raises(RuntimeError, match="driver"):
            getattr(cu, name)(*words)


# ── what a model says of itself ──────────────────────────────────────────────────────────────────────────


def test_metadata_is_read_as_onnx_itself_reads_it(tmp_path: Path) -> None:
    model = bright_is_a_car(tmp_path / "m.onnx", author="Ngã tư", empty="")
    import onnx

    assert metadata(model.read_bytes()) == {p.key: p.value for p in onnx.load(str(model)).metadata_props}
    whole = model.read_bytes()
    for cut in range(0, len(whole), 7):  # whatever it is, it is read or it is nothing
        assert isinstance(metadata(whole[:cut]), dict)
        assert isinstance(metadata(whole[cut:]), dict)
