"""The little of CUDA's driver that the detector needs: a device, memory, a stream, a kernel, a graph.

By ``cuda-bindings``, NVIDIA's own: no framework for arrays comes along, and what it links is the driver of the machine.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream.errors import InvalidInputError, UnavailableError

_LACKS: Final = 'expected a GPU and its driver; detector "onnx" runs the same model on the CPU'


def driver() -> Any:
    """CUDA's driver API.

    Raises:
        InvalidInputError: ``cuda-bindings`` is not installed.
    """
    try:
        from cuda.bindings import driver as found
    except ImportError as e:
        raise InvalidInputError(
            f"cuda-bindings is not installed ({e}); expected it from pip install 'smartstream[tensorrt]'"
        ) from None
    return found


def call(function: Callable[..., tuple[Any, ...]], *words: Any) -> Any:
    """What a function of the driver gives.

    Raises:
        UnavailableError: It failed: what it is called, and the driver's name of the error.
    """
    status, *found = function(*words)
    if status.value != 0:
        raise UnavailableError(f"CUDA: {function.__name__} said {status.name}")
    return (found[0] if len(found) == 1 else tuple(found)) if found else None


class Device:
    """The first GPU of this machine, with its primary context, which TensorRT uses too.

    Attributes:
        name: As NVIDIA calls it.
        capability: Compute capability, as (9, 0).
        version: Of the driver: 1000 · major + 10 · minor of the CUDA it knows.
        memory: Bytes.

    Raises:
        InvalidInputError: There is none, in one line.
    """

    def __init__(self) -> None:
        cu = driver()
        self._context: Any = None
        try:
            call(cu.cuInit, 0)
            self._device = call(cu.cuDeviceGet, 0)
            self.name = call(cu.cuDeviceGetName, 128, self._device).split(b"\0")[0].decode()
            kinds = cu.CUdevice_attribute
            major = call(cu.cuDeviceGetAttribute, kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, self._device)
            minor = call(cu.cuDeviceGetAttribute, kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, self._device)
            self.capability: tuple[int, int] = (int(major), int(minor))
            self.version = int(call(cu.cuDriverGetVersion))
            self.memory = int(call(cu.cuDeviceTotalMem, self._device))
        except UnavailableError as e:
            raise InvalidInputError(f"found no NVIDIA GPU that answers ({e}), {_LACKS}") from None
        except RuntimeError:  # cuda-bindings, where the machine has no driver at all
            raise InvalidInputError(f"found no NVIDIA driver on this machine, {_LACKS}") from None

    def open(self) -> None:
        """Work in its context from here on, on this thread."""
        cu = driver()
        if self._context is None:
            self._context = call(cu.cuDevicePrimaryCtxRetain, self._device)
        call(cu.cuCtxSetCurrent, self._context)

    def close(self) -> None:
        """Give the context back."""
        if self._context is not None:
            call(driver().cuDevicePrimaryCtxRelease, self._device)
            self._context = None


class Memory:
    """Bytes on the GPU, freed by ``close``.

    Attributes:
        at: Where.
        size: How many.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.at = int(call(driver().cuMemAlloc, size))

    def write(self, values: npt.NDArray[Any]) -> None:
        """Copy there, and wait for it."""
        cu = driver()
        call(cu.cuMemcpyHtoD, self.at, values.ctypes.data, values.nbytes)
        call(cu.cuCtxSynchronize)  # a small copy may return before it is there, and our stream waits for no other

    def close(self) -> None:
        """Free it."""
        call(driver().cuMemFree, self.at)


class Pinned:
    """Memory of the machine that the GPU reads and writes by itself.

    Attributes:
        array: uint8, flat.
    """

    def __init__(self, size: int) -> None:
        self._at = call(driver().cuMemAllocHost, size)
        self.array: npt.NDArray[np.uint8] = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(self._at)))

    @property
    def at(self) -> int:
        """Where it begins."""
        return int(self._at)

    def close(self) -> None:
        """Free it; ``array`` must not be touched after."""
        del self.array
        call(driver().cuMemFreeHost, self._at)


class Stream:
    """Work in its order.

    Attributes:
        handle: As TensorRT wants it.
    """

    def __init__(self) -> None:
        cu = driver()
        self._stream = call(cu.cuStreamCreate, cu.CUstream_flags.CU_STREAM_NON_BLOCKING)

    @property
    def handle(self) -> int:
        """The stream as a number."""
        return int(self._stream)

    def upload(self, to: int, source: int, size: int) -> None:
        """Copy from pinned memory to the GPU."""
        call(driver().cuMemcpyHtoDAsync, to, source, size, self._stream)

    def download(self, to: int, source: int, size: int) -> None:
        """Copy from the GPU to pinned memory."""
        call(driver().cuMemcpyDtoHAsync, to, source, size, self._stream)

    def wait(self) -> None:
        """Until all of it is done."""
        call(driver().cuStreamSynchronize, self._stream)

    def record(self, work: Callable[[], None]) -> Graph | None:
        """``work`` as a graph; ``None`` when a part of it cannot be recorded, and nothing has been done then."""
        cu = driver()
        call(cu.cuStreamBeginCapture, self._stream, cu.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
        try:
            work()
        except UnavailableError:
            with suppress(UnavailableError):  # the capture is broken, and must be ended all the same
                call(cu.cuStreamEndCapture, self._stream)
            return None
        try:
            graph = call(cu.cuStreamEndCapture, self._stream)
            return Graph(self._stream, call(cu.cuGraphInstantiate, graph, 0), graph)
        except UnavailableError:
            return None

    def close(self) -> None:
        """Free it."""
        call(driver().cuStreamDestroy, self._stream)


class Graph:
    """Recorded work: one call starts all of it, whatever it consists of."""

    def __init__(self, stream: Any, ready: Any, graph: Any) -> None:
        self._stream, self._ready, self._graph = stream, ready, graph

    def launch(self) -> None:
        """Do it again."""
        call(driver().cuGraphLaunch, self._ready, self._stream)

    def close(self) -> None:
        """Free it."""
        cu = driver()
        call(cu.cuGraphExecDestroy, self._ready)
        call(cu.cuGraphDestroy, self._graph)


class Kernel:
    """A function on the GPU.

    Args:
        code: Machine code.
        name: Of the function in it.
        kinds: Types of its parameters.
    """

    def __init__(self, code: bytes, name: str, kinds: Sequence[type]) -> None:
        cu = driver()
        self._module = call(cu.cuModuleLoadData, code)
        self._function = call(cu.cuModuleGetFunction, self._module, name.encode())
        self._kinds = tuple(kinds)

    def launch(
        self, stream: Stream, blocks: tuple[int, int, int], threads: tuple[int, int, int], words: Sequence[int]
    ) -> None:
        """Start it with ``words`` as its parameters."""
        call(
            driver().cuLaunchKernel, self._function, *blocks, *threads, 0, stream.handle, (tuple(words), self._kinds), 0
        )

    def close(self) -> None:
        """Free it."""
        call(driver().cuModuleUnload, self._module)
