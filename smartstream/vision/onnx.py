"""The ONNX detector: any of the known export layouts, run by onnxruntime on the CPU or on CUDA."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream.errors import InvalidInputError
from smartstream.observe.logging import get_logger
from smartstream.vision.detector import Detections, DetectorSettings, Wants
from smartstream.vision.layouts import Port, picture_size, recognise
from smartstream.vision.readout import Readout, riders_apart

_CUDA_BATCH: Final = 16
_log = get_logger("onnx")


class OnnxDetector:
    """Runs a detection model.

    On the CPU pictures go one by one: a batch is no faster there, and the same picture gives the same numbers. On
    CUDA up to 16 pictures of all cameras go together when the model leaves its batch open.

    Args:
        settings: ``model`` is needed; ``options``: ``size`` = ``[width, height]`` of a model that leaves its
            picture open (640 x 640); ``riders_apart`` = false of a model whose two-wheelers include their riders
            (one that carries ``riders: within`` says so itself).

    Raises:
        InvalidInputError: No onnxruntime, no model, or a layout that is not known.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        runtime = _onnxruntime()
        if settings.model is None:
            raise InvalidInputError("detector onnx: found no model, expected its file")
        self._name = settings.model.name
        options = runtime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        options.use_deterministic_compute = True
        options.log_severity_level = 4  # what goes wrong is told once, as an error
        try:
            self._session = runtime.InferenceSession(
                str(settings.model), options, providers=_providers(runtime, settings.provider)
            )
        except Exception as e:  # onnxruntime's own classes share no base of their own
            raise InvalidInputError(f"model {self._name}: onnxruntime cannot load it ({_first_line(e)})") from None
        inputs = [_port(i) for i in self._session.get_inputs()]
        stated = self._session.get_modelmeta().custom_metadata_map
        self._size = picture_size(self._name, inputs, settings.options.get("size"), stated.get("imgsz"))
        self.riders_apart: Final[bool] = riders_apart(settings, stated.get("riders"))
        outputs = [_port(o) for o in self._session.get_outputs()]
        self._layout = recognise(self._name, inputs, outputs, self._size, settings.format)
        self._readout = Readout(self._name, self._layout, settings, stated.get("names"))
        self._input = inputs[0].name
        self._outputs = [o.name for o in outputs]
        on_gpu = self._session.get_providers()[0] == "CUDAExecutionProvider"
        self._batch = inputs[0].shape[0] or (_CUDA_BATCH if on_gpu else 1)
        self._open_batch = inputs[0].shape[0] is None
        self.wants: Final[Wants] = self._layout.wants(*self._size)
        self.batch: Final[int] = self._batch
        _log.info(
            "detector opened",
            model=self._name,
            layout=self._layout.name,
            picture=f"{self._size[0]}x{self._size[1]}",
            provider=self._session.get_providers()[0],
            onnxruntime=runtime.__version__,
        )

    def detect(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Sequence[Detections]:
        """Detections of each picture."""
        tensors = np.stack([self._layout.tensor(picture) for picture in pictures])
        if not self._open_batch and len(tensors) < self._batch:
            filler = np.zeros((self._batch - len(tensors), *tensors.shape[1:]), np.float32)
            tensors = np.concatenate([tensors, filler])
        feed: dict[str, Any] = {self._input: tensors}
        if self._layout.size_input is not None:
            feed[self._layout.size_input] = np.array([self._size] * len(tensors), np.int64)
        values = self._session.run(self._outputs, feed)
        return [
            self._readout.read({name: value[i] for name, value in zip(self._outputs, values, strict=True)}, self._size)
            for i in range(len(pictures))
        ]

    def close(self) -> None:
        """Free the session."""
        del self._session


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as e:
        raise InvalidInputError(
            f"detector onnx: onnxruntime is not installed ({e}); expected it from pip install 'smartstream[onnx]'"
        ) from None
    return onnxruntime


def _providers(runtime: Any, wanted: str) -> list[str]:
    there = runtime.get_available_providers()
    if wanted == "cuda" and "CUDAExecutionProvider" not in there:
        raise InvalidInputError(
            "detector onnx: found no CUDA in this onnxruntime, expected onnxruntime-gpu and its libraries"
        )
    cuda = ["CUDAExecutionProvider"] if wanted in ("auto", "cuda") and "CUDAExecutionProvider" in there else []
    return [*cuda, "CPUExecutionProvider"]


def _port(value: Any) -> Port:
    return Port(value.name, tuple(n if isinstance(n, int) and n > 0 else None for n in value.shape))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
