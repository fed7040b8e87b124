"""The TensorRT detector: NV12 in, boxes out; between them one upload, one CUDA graph and one download."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from ctypes import c_int, c_void_p
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream.config.settings import Settings
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.observe.logging import get_logger
from smartstream.vision.detector import Detections, DetectorSettings, Nv12, Wants
from smartstream.vision.gpu.builder import find_library
from smartstream.vision.gpu.cache import EngineCache
from smartstream.vision.gpu.cuda import Device, Graph, Kernel, Memory, Pinned, Stream
from smartstream.vision.gpu.engine import DEFAULT_BATCH, Plan, engine_for
from smartstream.vision.gpu.prepare import FRAME, THREADS, compile_kernel, frame, table, to_camera
from smartstream.vision.layouts import Layout, Port, picture_size, recognise
from smartstream.vision.readout import Readout, riders_apart

_KERNEL: Final = (c_void_p, c_void_p, c_void_p, c_int, c_int, c_int, c_int)
_log = get_logger("tensorrt")


def engine_cache() -> EngineCache:
    """The engines of this user, or of ``SMARTSTREAM_ENGINE_CACHE``."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return EngineCache(Settings().engine_cache or base / "smartstream" / "engines")


class TensorrtDetector:
    """Runs a detection model on an NVIDIA GPU.

    Pictures of all cameras go together, ``batch`` of them at most; empty places of a batch are black. By default there
    is one size of batch, so every picture goes through the same arithmetic whoever else is in it. With several
    (``options``: ``batch = [1, 4, 16]``) the smallest that holds them is taken: sooner done when few ask, but numbers
    may differ between them in their last bits, and a replay with them.

    Args:
        settings: ``model`` is needed; ``options``: ``batch`` = sizes of batches ([16]), of a model that leaves its
            batch open; ``size`` = ``[width, height]`` of one that leaves its picture open (640 x 640);
            ``riders_apart`` = false of one whose two-wheelers include their riders.

    Raises:
        InvalidInputError: No GPU, no TensorRT, no model, or a layout that is not known.
    """

    wants: Final[Wants] = Wants("nv12")

    def __init__(self, settings: DetectorSettings) -> None:
        if settings.model is None:
            raise InvalidInputError("detector tensorrt: found no model, expected its file")
        if settings.provider == "cpu":
            raise InvalidInputError('detector tensorrt: found provider "cpu", expected "auto" or "cuda"')
        self.riders_apart: Final[bool] = riders_apart(settings, None)
        library = find_library()
        try:
            self._device = Device()
        except InvalidInputError as e:
            raise InvalidInputError(f"detector tensorrt: {e}") from None
        self._device.open()
        asked = settings.options.get("batch", list(DEFAULT_BATCH))
        plan = Plan(settings.model, batch_sizes(settings.model.name, asked), _size(settings))
        label, built = engine_for(plan, library, self._device, engine_cache())
        trt = library.module
        self._logger, self._stream = library.logger(), Stream()
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(built)
        if self._engine is None:
            raise InvalidInputError(
                f"model {label.name}: {library.version} cannot load the engine on {self._device.name} "
                f"({self._logger.error})"
            )
        size = picture_size(label.name, label.inputs, plan.size, label.stated.get("imgsz"))
        inputs = [port.name for port in label.inputs]
        outputs = [port.name for port in label.outputs]
        kinds = {name: np.dtype(trt.nptype(self._engine.get_tensor_dtype(name))) for name in (*inputs, *outputs)}
        if kinds[inputs[0]] not in (np.float32, np.float16):
            raise InvalidInputError(f"model {label.name}: found an input of {kinds[inputs[0]]}, expected float32 or 16")
        self._batches: list[_Batch] = []
        opened = _Opened(self._engine, self._stream, inputs, outputs, kinds, size)
        code = compile_kernel(self._device.capability, kinds[inputs[0]])
        self._kernel = Kernel(code, "prepare", _KERNEL)
        for profile, n in enumerate(label.batch):
            self._batches.append(_Batch(opened, self._kernel, profile, n))
        shapes = [Port(name, self._batches[0].shapes[name]) for name in outputs]
        layout = recognise(label.name, label.inputs, shapes, size, settings.format)
        self._size, self._fitted = size, layout.wants(*size)
        self._readout = Readout(label.name, layout, settings, label.stated.get("names"))
        self.batch: Final[int] = label.batch[-1]
        self._table = Memory(3 * 256 * kinds[inputs[0]].itemsize)
        self._table.write(table(layout, kinds[inputs[0]]))
        for batch in self._batches:
            batch.prepare(layout, self._fitted, self._table)
        _log.info(
            "detector opened",
            model=label.name,
            layout=layout.name,
            picture=f"{size[0]}x{size[1]}",
            batch=list(label.batch),
            gpu=self._device.name,
            library=library.version,
            graphs=sum(batch.recorded for batch in self._batches),
        )

    def detect(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Sequence[Detections]:
        """Detections of each picture, boxes in pixels of the camera's."""
        self._device.open()
        seen = [picture for picture in pictures if isinstance(picture, Nv12)]
        if len(seen) != len(pictures):
            raise TypeError("found a picture that is not NV12")
        batch = next(batch for batch in self._batches if batch.places >= len(seen))
        found = []
        for picture, values in zip(seen, batch.run(seen, self._fitted), strict=True):
            one = self._readout.read(values, self._size)
            found.append(Detections(to_camera(one.boxes, picture.pixels, self._fitted), one.scores, one.classes))
        return found

    def close(self) -> None:
        """Free what it holds on the GPU."""
        self._device.open()
        for batch in self._batches:
            batch.close()
        self._table.close()
        self._kernel.close()
        del self._engine, self._runtime
        self._stream.close()
        self._device.close()


def batch_sizes(model: str, asked: object) -> tuple[int, ...]:
    """Sizes of batches as the site file says them: a number or several.

    Raises:
        InvalidInputError: Something else.
    """
    sizes = asked if isinstance(asked, list) else [asked]
    if not sizes or not all(isinstance(n, int) and not isinstance(n, bool) for n in sizes):
        raise InvalidInputError(f"model {model}: found batch {asked!r}, expected numbers of pictures, such as [16]")
    return tuple(sizes)


def _size(settings: DetectorSettings) -> tuple[int, int] | None:
    match settings.options.get("size"):
        case None:
            return None
        case [int(width), int(height)]:
            return width, height
        case other:
            raise InvalidInputError(f"detector tensorrt: found size {other}, expected [width, height] in pixels")


class _Opened:
    """What all batches of a detector share."""

    def __init__(
        self,
        engine: Any,
        stream: Stream,
        inputs: list[str],
        outputs: list[str],
        kinds: dict[str, np.dtype[Any]],
        size: tuple[int, int],
    ) -> None:
        self.engine, self.stream, self.size = engine, stream, size
        self.inputs, self.outputs, self.kinds = inputs, outputs, kinds


class _Batch:
    """Batches of one size: their memory, their context, their graph.

    Attributes:
        places: Pictures it holds.
        shapes: Of every output, with the batch's axis.
    """

    def __init__(self, opened: _Opened, kernel: Kernel, profile: int, places: int) -> None:
        self._opened, self._kernel, self.places = opened, kernel, places
        engine, stream = opened.engine, opened.stream
        self._context = engine.create_execution_context()
        if self._context is None:
            raise UnavailableError(f"TensorRT has no room for a batch of {places}")
        width, height = opened.size
        picture, *more = opened.inputs
        shapes = {picture: (places, 3, height, width)} | dict.fromkeys(more, (places, 2))
        taken = self._context.set_optimization_profile_async(profile, stream.handle)
        if not taken or not all(self._context.set_input_shape(name, shape) for name, shape in shapes.items()):
            raise InvalidInputError(f"TensorRT does not take inputs {shapes}, which its engine was built for")
        self._tensors = {picture: Memory(places * 3 * height * width * opened.kinds[picture].itemsize)}
        for name in more:  # the picture's own size, as DETR's exports ask for it
            sizes = np.array([opened.size] * places, opened.kinds[name])
            self._tensors[name] = Memory(sizes.nbytes)
            self._tensors[name].write(sizes)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._found: dict[str, Pinned] = {}
        for name in opened.outputs:
            shape = tuple(self._context.get_tensor_shape(name))
            if not shape or shape[0] != places or min(shape) < 1:
                raise InvalidInputError(
                    f"found output {name} {list(shape)}, expected fixed sizes for {places} pictures"
                )
            self.shapes[name] = shape
            size = int(np.prod(shape)) * opened.kinds[name].itemsize
            self._tensors[name], self._found[name] = Memory(size), Pinned(size)
        for name, memory in self._tensors.items():
            self._context.set_tensor_address(name, memory.at)
        self._frames = Memory(places * FRAME.itemsize)
        self._told = Pinned(places * FRAME.itemsize)
        self._samples: list[tuple[Pinned, Memory] | None] = [None] * places
        self._work: Callable[[], None] | None = None
        self._graph: Graph | None = None

    @property
    def recorded(self) -> bool:
        """Its work is one graph."""
        return self._graph is not None

    def prepare(self, layout: Layout, wants: Wants, levels: Memory) -> None:
        """Know what is done each time; record it where TensorRT lets itself be recorded."""
        stream, picture = self._opened.stream, self._opened.inputs[0]
        words = (
            self._frames.at,
            levels.at,
            self._tensors[picture].at,
            wants.width,
            wants.height,
            int(layout.form == "bgr"),
            wants.pad,
        )
        blocks = (-(-wants.width // THREADS[0]), -(-wants.height // THREADS[1]), self.places)

        def work() -> None:
            stream.upload(self._frames.at, self._told.at, self._frames.size)
            self._kernel.launch(stream, blocks, THREADS, words)
            if not self._context.execute_async_v3(stream.handle):
                raise UnavailableError("TensorRT refused a batch")
            for name, found in self._found.items():
                stream.download(found.at, self._tensors[name].at, self._tensors[name].size)

        self._work = work
        self._told.array[:] = 0
        work()  # TensorRT sets itself up at the first call, which a recording must not hold
        stream.wait()
        self._graph = stream.record(work)

    def run(self, pictures: Sequence[Nv12], wants: Wants) -> list[dict[str, npt.NDArray[np.float32]]]:
        """Outputs of each picture by name."""
        stream, told = self._opened.stream, self._told.array.view(FRAME)
        told[:] = np.zeros((), FRAME)
        for i, picture in enumerate(pictures):
            pinned, samples = self._room(i, picture.nbytes)
            pinned.array[: picture.nbytes] = picture.reshape(-1)
            stream.upload(samples.at, pinned.at, picture.nbytes)
            told[i] = frame(picture, samples.at, wants)
        if self._graph is not None:
            self._graph.launch()
        elif self._work is not None:
            self._work()
        stream.wait()
        values = {
            name: found.array.view(self._opened.kinds[name]).reshape(self.shapes[name])
            for name, found in self._found.items()
        }
        # Not copied: to be read before the next batch is written to the same place.
        return [
            {
                name: value[i].astype(np.float32 if value.dtype == np.float16 else value.dtype, copy=False)
                for name, value in values.items()
            }
            for i in range(len(pictures))
        ]

    def close(self) -> None:
        """Free it."""
        if self._graph is not None:
            self._graph.close()
        del self._context
        rooms = [part for room in self._samples if room is not None for part in room]
        for part in (*self._tensors.values(), *self._found.values(), self._frames, self._told, *rooms):
            part.close()

    def _room(self, i: int, size: int) -> tuple[Pinned, Memory]:
        """Memory for a picture's samples, on both sides; it grows with the camera."""
        room = self._samples[i]
        if room is None or room[1].size < size:
            if room is not None:
                for part in room:
                    part.close()
            room = self._samples[i] = Pinned(size), Memory(size)
        return room
