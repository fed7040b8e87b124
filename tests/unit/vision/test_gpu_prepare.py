"""The kernel that prepares pictures on a GPU, compiled for this machine: its pictures are those of the CPU's chain.

The same source is compiled by a C compiler, where the grid of threads is a loop, and by NVIDIA's own for a GPU, where
it can be compiled but not run.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_outputs import layout_of

from smartstream import _core
from smartstream.vision.detector import Nv12, Wants
from smartstream.vision.gpu import prepare
from smartstream.vision.layouts import Layout

CLIP = Path(__file__).parents[3] / "smartstream/demo/clip/scene.mp4"
EMULATION = """
#include <stddef.h>
typedef struct { int x, y, z; } Dim;
static Dim blockIdx, threadIdx, blockDim;
#define KERNEL static
#define INNER static
#include "prepare.cu"

void run(const struct Frame *frames, const SAMPLE *table, SAMPLE *out, int columns, int rows, int blue_first, int pad,
         int pictures, int wide, int high) {
    blockDim = (Dim){wide, high, 1};
    for (int z = 0; z < pictures; z++)
        for (int by = 0; by * high < rows; by++)
            for (int bx = 0; bx * wide < columns; bx++)
                for (int ty = 0; ty < high; ty++)
                    for (int tx = 0; tx < wide; tx++) {
                        blockIdx = (Dim){bx, by, z};
                        threadIdx = (Dim){tx, ty, 0};
                        prepare(frames, table, out, columns, rows, blue_first, pad);
                    }
}
size_t frame_size(void) { return sizeof(struct Frame); }
"""


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, ctypes.CDLL]:
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "prepare.cu").write_text(prepare.SOURCE)
    (folder / "run.c").write_text(EMULATION)
    found = {}
    for kind, sample in ((np.float32, "float"), (np.float16, "unsigned short")):
        library = folder / f"{np.dtype(kind).name}.so"
        flags = ["-DEMULATED", f"-DSAMPLE={sample}", "-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
        flags += ["-fsanitize=undefined", "-fno-sanitize-recover=undefined"]
        subprocess.run(["cc", *flags, "-o", str(library), str(folder / "run.c")], check=True, timeout=60)
        found[kind] = ctypes.CDLL(str(library))
        found[kind].frame_size.restype = ctypes.c_size_t
    return found


def run(
    kernels: dict[Any, ctypes.CDLL], pictures: list[Nv12], wants: Wants, layout: Layout, kind: Any = np.float32
) -> np.ndarray:
    frames = np.array([prepare.frame(p, p.ctypes.data, wants) for p in pictures], prepare.FRAME)
    levels = prepare.table(layout, kind)
    out = np.full((len(pictures), 3, wants.height, wants.width), 77, kind)
    blue_first = int(layout.form == "bgr")
    at = [ctypes.c_void_p(a.ctypes.data) for a in (frames, levels, out)]
    numbers = wants.width, wants.height, blue_first, wants.pad, len(pictures), *prepare.THREADS[:2]
    kernels[kind].run(*at, *numbers)
    return out


# ── an oracle of its own, slow and plain ─────────────────────────────────────────────────────────────────


def resampled(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """The rule in words: average whole blocks, then bilinear in 256ths between the centres of pixels."""
    h, w = plane.shape
    if (w, h) == (width, height):
        return plane.astype(np.int64)
    block = max(1, min(w // width, h // height))
    tiles = plane[: h // block * block, : w // block * block].astype(np.int64)
    tiles = tiles.reshape(h // block, block, w // block, block).sum(axis=(1, 3))
    small = (tiles + block * block // 2) // (block * block)

    def lines(count: int, to: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((2 * np.arange(to) + 1) * count * 256 // (2 * to) - 128, 0, (count - 1) * 256)
        return at // 256, np.minimum(at // 256 + 1, count - 1), at % 256

    (y0, y1, down), (x0, x1, across) = lines(small.shape[0], height), lines(small.shape[1], width)
    upper = small[y0][:, x0] * (256 - across) + small[y0][:, x1] * across
    lower = small[y1][:, x0] * (256 - across) + small[y1][:, x1] * across
    return (upper * (256 - down)[:, None] + lower * down[:, None] + (1 << 15)) >> 16


def oracle(picture: Nv12, wants: Wants, layout: Layout, kind: Any = np.float32) -> np.ndarray:
    rows = picture.shape[1] * 2 // 3
    w, h = picture.pixels
    luma, chroma = np.asarray(picture)[0, :rows], np.asarray(picture)[0, rows:]
    left, top, width, height = prepare.place((w, h), wants)
    y = resampled(luma[:h, :w], width, height)
    cb, cr = (resampled(chroma[: (h + 1) // 2, i::2][:, : (w + 1) // 2], width, height) - 128 for i in (0, 1))
    kr, kb = (0.2126, 0.0722) if picture.bt709 else (0.299, 0.114)
    black, luma_span, chroma_span = (0, 255, 255) if picture.full_range else (16, 219, 224)
    kg = 1 - kr - kb

    def of(factor: float, span: int) -> int:
        return round(factor * 255 / span * 256)

    gain = of(1, luma_span)
    red = gain * (y - black) + of(2 * (1 - kr), chroma_span) * cr
    blue = gain * (y - black) + of(2 * (1 - kb), chroma_span) * cb
    green = gain * (y - black)
    green = green - of(2 * kb * (1 - kb) / kg, chroma_span) * cb - of(2 * kr * (1 - kr) / kg, chroma_span) * cr
    levels = np.full((3, wants.height, wants.width), wants.pad, np.uint8)
    planes = np.clip((np.stack([red, green, blue]) + 128) >> 8, 0, 255)
    levels[:, top : top + height, left : left + width] = planes if layout.form == "rgb" else planes[::-1]
    return layout.tensor(levels).astype(kind)


def nv12(dice: np.random.Generator, w: int, h: int, bt709: bool, full_range: bool) -> Nv12:
    rows, stride = h + h % 2, w + w % 2
    samples = dice.integers(0, 256, (1, rows * 3 // 2, stride), np.uint8)
    return Nv12.of(samples, (w, h), bt709=bt709, full_range=full_range)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1 << 30),
    sizes=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=3),
    to=st.tuples(st.integers(1, 70), st.integers(1, 50)),
    fit=st.sampled_from(["letterbox", "corner", "stretch"]),
    name=st.sampled_from(["yolox", "yolov8", "fastestdet", "rfdetr"]),
    kind=st.sampled_from([np.float32, np.float16]),
    bt709=st.booleans(),
    full_range=st.booleans(),
)
def test_the_kernel_prepares_what_the_rule_says(
    kernels: dict[Any, ctypes.CDLL], seed: int, sizes: list[tuple[int, int]], to: tuple[int, int], fit: Any, name: str,
    kind: Any, bt709: bool, full_range: bool,
) -> None:  # fmt: skip
    dice = np.random.default_rng(seed)
    layout = layout_of(name)
    wants = Wants("rgb", *to, fit)
    pictures = [nv12(dice, w, h, bt709, full_range) for w, h in sizes]
    found = run(kernels, pictures, wants, layout, kind)
    for picture, one in zip(pictures, found, strict=True):
        np.testing.assert_array_equal(one, oracle(picture, wants, layout, kind))


def test_an_empty_place_of_a_batch_is_bars_only(kernels: dict[Any, ctypes.CDLL]) -> None:
    layout = layout_of("yolov8")
    frames, levels = np.zeros(1, prepare.FRAME), prepare.table(layout, np.float32)
    out = np.empty((1, 3, 30, 40), np.float32)
    at = [ctypes.c_void_p(a.ctypes.data) for a in (frames, levels, out)]
    kernels[np.float32].run(*at, 40, 30, 0, 114, 1, *prepare.THREADS[:2])
    np.testing.assert_array_equal(out, np.float32(114) * np.float32(1 / 255))
    assert kernels[np.float32].frame_size() == prepare.FRAME.itemsize


def pictures_of(wants: Wants, clip: Path, count: int) -> list[np.ndarray]:
    """What the camera's thread hands over."""
    hub = _core.DetectorHub()
    picture = {"form": wants.form, "width": wants.width, "height": wants.height, "fit": wants.fit, "pad": wants.pad}
    look = {"picture": picture, "rate_hz": 5.0, "gate": False, "refresh_s": 1.0, "riders": False, "identity": "t"}
    config = {"camera": "c", "files": [str(clip)], "start_time_ns": 0, "detector": "t", "look": look}
    run = _core.CameraRun(json.dumps(config | {"tracker_preset": "detector"}).encode(), hub=hub)
    found: list[np.ndarray] = []
    while len(found) < count:
        for question in hub.take(1, 1.0) or []:
            picture = question.picture
            if wants.form == "nv12":
                options = {"bt709": question.bt709, "full_range": question.full_range}
                picture = Nv12.of(picture, question.size, **options)
            found.append(picture)
            question.answer(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.uint8))
            run.poll(16)
    hub.close()
    run.close()
    return found


@pytest.mark.parametrize("fit", ["letterbox", "corner", "stretch"])
def test_a_gpu_sees_the_pictures_that_a_cpu_sees(kernels: dict[Any, ctypes.CDLL], fit: Any) -> None:
    wants, layout = Wants("rgb", 416, 320, fit), layout_of("yolov8")
    by_cpu = pictures_of(wants, CLIP, 3)
    by_gpu = run(kernels, pictures_of(Wants("nv12"), CLIP, 3), wants, layout)
    for cpu, gpu in zip(by_cpu, by_gpu, strict=True):
        np.testing.assert_array_equal(gpu, layout.tensor(cpu))


def test_boxes_find_back_to_the_camera() -> None:
    wants = Wants("rgb", 640, 640)
    assert prepare.place((1920, 1080), wants) == (0, 140, 640, 360)
    boxes = np.array([[0, 140, 640, 500], [320, 320, 330, 330]], np.float32)
    found = prepare.to_camera(boxes, (1920, 1080), wants)
    np.testing.assert_allclose(found, [[0, 0, 1920, 1080], [960, 540, 990, 570]])


@pytest.mark.parametrize("capability", [(8, 0), (9, 0), (12, 0)])
def test_nvidias_compiler_takes_the_kernel(capability: tuple[int, int]) -> None:
    pytest.importorskip("cuda.bindings.nvrtc", exc_type=ImportError, reason="cuda-bindings is not installed")
    for kind in (np.float32, np.float16):
        try:
            code = prepare.compile_kernel(capability, kind)
        except RuntimeError as e:  # the compiler is a library of its own
            pytest.skip(f"NVRTC is not installed: {str(e).splitlines()[0]}")
        assert code.startswith(b"\x7fELF")
