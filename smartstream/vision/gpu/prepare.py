"""What the kernel that prepares pictures is told, and its compilation."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream.errors import InternalError
from smartstream.vision.detector import Nv12, Wants
from smartstream.vision.layouts import Layout

SOURCE: Final = resources.files(__package__).joinpath("prepare.cu").read_text()
"""The kernel ``prepare``."""
THREADS: Final = (32, 8, 1)
"""Pixels of the model's picture that one block of threads makes."""
FRAME: Final = np.dtype(
    [
        ("samples", "<u8"),
        *((name, "<i4") for name in ("width", "height", "stride", "chroma_row")),
        *((name, "<i4") for name in ("left", "top", "to_width", "to_height")),
        *((name, "<i4") for name in ("black", "gain", "red_cr", "green_cb", "green_cr", "blue_cb")),
    ]
)
"""``struct Frame`` of the kernel."""

_MIX: Final = {
    (False, False): (16, 298, 409, 100, 208, 516),
    (False, True): (0, 256, 359, 88, 183, 454),
    (True, False): (16, 298, 459, 55, 136, 541),
    (True, True): (0, 256, 403, 48, 120, 475),
}
"""(BT.709, full range) to black level and factors in 256ths: ITU-R BT.601-7 and BT.709-6, as in ``ss_vision``."""


def place(size: tuple[int, int], wants: Wants) -> tuple[int, int, int, int]:
    """Left, top, width and height of a camera's picture in the one that a model wants."""
    (w, h), (width, height) = size, (wants.width, wants.height)
    if wants.fit == "stretch":
        return 0, 0, width, height
    if width * h <= height * w:
        fitted = width, min(max((2 * h * width + w) // (2 * w), 1), height)
    else:
        fitted = min(max((2 * w * height + h) // (2 * h), 1), width), height
    left, top = ((width - fitted[0]) // 2, (height - fitted[1]) // 2) if wants.fit == "letterbox" else (0, 0)
    return left, top, *fitted


def frame(picture: Nv12, samples_at: int, wants: Wants) -> tuple[int, ...]:
    """``FRAME`` of a picture whose samples lie at ``samples_at`` in the GPU's memory."""
    _, rows, stride = picture.shape
    where = place(picture.pixels, wants)
    return (samples_at, *picture.pixels, stride, rows * 2 // 3, *where, *_MIX[picture.bt709, picture.full_range])


def to_camera(boxes: npt.NDArray[np.float32], size: tuple[int, int], wants: Wants) -> npt.NDArray[np.float32]:
    """Boxes (N, 4) of the model's picture, in pixels of the camera's."""
    left, top, width, height = place(size, wants)
    scale = np.array([size[0] / width, size[1] / height] * 2, np.float32)
    return (boxes - np.array([left, top, left, top], np.float32)) * scale


def table(layout: Layout, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """(3, 256): what each level of each plane becomes, of type ``kind`` (float32 or float16)."""
    levels = np.broadcast_to(np.arange(256, dtype=np.uint8), (3, 1, 256))
    return np.ascontiguousarray(layout.tensor(levels).reshape(3, 256).astype(kind))


def compile_kernel(capability: tuple[int, int], kind: npt.DTypeLike) -> bytes:
    """The kernel as machine code for GPUs of that compute capability.

    Args:
        capability: Of the GPU, as (9, 0).
        kind: Type of the tensor it fills: float32 or float16.

    Raises:
        InternalError: The compiler does not take it.
    """
    from cuda.bindings import nvrtc

    def call(function: Any, *words: Any) -> Any:
        status, *found = function(*words)
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise InternalError(f"kernel prepare: {function.__name__} said {status.name}: {said()}")
        return found[0] if found else None

    def said() -> str:
        _, length = nvrtc.nvrtcGetProgramLogSize(program)
        log = b" " * length
        nvrtc.nvrtcGetProgramLog(program, log)
        return " ".join(log.decode(errors="replace").strip("\0 ").split())

    # Halves are moved by the table and never counted with: sixteen bits are enough of a type.
    sample = "unsigned short" if np.dtype(kind) == np.float16 else "float"
    options = [f"--gpu-architecture=sm_{capability[0]}{capability[1]}", f"--define-macro=SAMPLE={sample}"]
    program = None
    program = call(nvrtc.nvrtcCreateProgram, SOURCE.encode(), b"prepare.cu", 0, [], [])
    try:
        call(nvrtc.nvrtcCompileProgram, program, len(options), [option.encode() for option in options])
        code: bytes = b" " * call(nvrtc.nvrtcGetCUBINSize, program)
        call(nvrtc.nvrtcGetCUBIN, program, code)
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    return code
