"""TensorRT, or TensorRT-RTX in its place: the same names in both, from 10 on.

``tensorrt`` compiles for the GPU at hand and needs it. ``tensorrt_rtx`` compiles ahead for every GPU it knows, also on
a machine without one, and finishes when the engine is loaded; data-centre GPUs of compute capability 9.0 (H100, H200)
are not among them as of 1.7.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

from smartstream.errors import InvalidInputError
from smartstream.observe.logging import get_logger

_OLDEST: Final = 10
_log = get_logger("tensorrt")


@dataclass(frozen=True)
class Library:
    """One of the two.

    Attributes:
        module: The Python module.
        name: ``tensorrt`` or ``tensorrt_rtx``.
    """

    module: Any
    name: str

    @property
    def version(self) -> str:
        """As ``tensorrt 11.4.0``."""
        return f"{self.name} {self.module.__version__}"

    @property
    def portable(self) -> bool:
        """Its engines are made without a GPU and run on any that it knows."""
        return self.name == "tensorrt_rtx"

    def logger(self) -> Any:
        """What it says goes to our log; the last error is kept, for our own message."""
        return _logger(self.module)


def find_library() -> Library:
    """What is installed; ``tensorrt`` before ``tensorrt_rtx``.

    Raises:
        InvalidInputError: Neither is, or it is too old.
    """
    wrong = []
    for name in ("tensorrt", "tensorrt_rtx"):
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as e:  # a wheel without its libraries raises any of them
            wrong.append(f"{name}: {str(e).splitlines()[0] if str(e) else type(e).__name__}")
            continue
        if name == "tensorrt" and int(module.__version__.split(".")[0]) < _OLDEST:
            wrong.append(f"{name}: found {module.__version__}, expected {_OLDEST} or later")
            continue
        return Library(module, name)
    raise InvalidInputError(
        f"TensorRT is not installed ({'; '.join(wrong)}); expected it from pip install 'smartstream[tensorrt]', or "
        "tensorrt itself from NVIDIA's own index, which H100 and H200 need"
    )


def _logger(trt: Any) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        """TensorRT calls it from its own threads."""

        def __init__(self) -> None:
            super().__init__()
            self.error = ""

        def log(self, severity: Any, text: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.error = text.strip().splitlines()[0][:300] if text.strip() else "an error without words"
                _log.debug("TensorRT", said=self.error)
            elif severity == trt.ILogger.WARNING:
                _log.debug("TensorRT", said=text)

    return Logger()
