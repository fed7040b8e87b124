"""From an ONNX model to an engine: parsed and built by TensorRT, kept in a cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.observe.logging import get_logger
from smartstream.vision.gpu.builder import Library
from smartstream.vision.gpu.cache import EngineCache, EngineLabel
from smartstream.vision.gpu.cuda import Device
from smartstream.vision.gpu.onnx_file import metadata
from smartstream.vision.layouts import Port, picture_size

ANY_GPU: Final = "any"
"""In the place of a GPU's name: the engine is finished on the GPU that loads it."""
DEFAULT_BATCH: Final = (16,)
_MOST_BATCH: Final = 256
_log = get_logger("tensorrt")


@dataclass(frozen=True)
class Plan:
    """What is asked of an engine.

    Attributes:
        model: The ONNX file.
        batch: Pictures in one go, rising; a model with a fixed batch has that one.
        size: Width and height of the picture, of a model that leaves them open.
    """

    model: Path
    batch: tuple[int, ...] = DEFAULT_BATCH
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.batch, self.batch[1:], strict=False))
        if not self.batch or not rising or not all(1 <= n <= _MOST_BATCH for n in self.batch):
            raise InvalidInputError(
                f"model {self.model.name}: found batch {list(self.batch)}, expected rising numbers of pictures, "
                f"1 to {_MOST_BATCH}"
            )


def engine_for(plan: Plan, library: Library, device: Device | None, cache: EngineCache) -> tuple[EngineLabel, bytes]:
    """The engine, from the cache or built now.

    Args:
        plan: What is wanted.
        library: Who builds it.
        device: The GPU it is for; not asked by TensorRT-RTX, whose engines are for any.
        cache: Where it is kept.

    Raises:
        InvalidInputError: The file cannot be read, is no model that TensorRT takes.
    """
    try:
        model = plan.model.read_bytes()
    except OSError as e:
        raise InvalidInputError(f"{plan.model}: cannot be opened ({e.strerror})") from None
    asked = {
        "model": hashlib.sha256(model).hexdigest(),
        "library": library.version,
        "gpu": ANY_GPU if library.portable or device is None else _gpu(device),
        "batch": list(plan.batch),
        "size": plan.size,
    }
    found = cache.find(asked)
    if found is not None:
        _log.info("engine from the cache", model=plan.model.name, engine=found[0].key)
        return found
    begun = time.perf_counter()
    inputs, outputs, batch, built = _build(plan, model, library)
    label = EngineLabel(
        key=cache.key(asked),
        asked=asked,
        name=plan.model.name,
        inputs=inputs,
        outputs=outputs,
        batch=batch,
        stated=metadata(model),
        build_s=round(time.perf_counter() - begun, 3),
    )
    cache.keep(label, built)
    _log.info("engine built", model=plan.model.name, engine=label.key, seconds=label.build_s, library=library.version)
    return label, built


def _gpu(device: Device) -> str:
    return f"{device.name}, {device.capability[0]}.{device.capability[1]}, driver {device.version}"


def _build(
    plan: Plan, model: bytes, library: Library
) -> tuple[tuple[Port, ...], tuple[Port, ...], tuple[int, ...], bytes]:
    """Inputs, outputs, sizes of batches, engine.

    Precision is a property of the model: networks are strongly typed, the only kind that TensorRT 11 knows.
    """
    trt, logger, name = library.module, library.logger(), plan.model.name
    try:
        builder = trt.Builder(logger)
        # 11 has no other kind, and may have dropped the flag's name.
        strong = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if strong is None else 1 << int(strong))
    except (RuntimeError, TypeError) as e:  # "factory function returned nullptr", where the driver does not do
        raise UnavailableError(f"{library.version} does not start ({logger.error or e})") from None
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model) or network.num_inputs == 0:  # what is no protobuf may pass for an empty network
        said = "; ".join(parser.get_error(i).desc() for i in range(min(parser.num_errors, 3))) or logger.error
        raise InvalidInputError(f"model {name}: {library.version} cannot parse it ({said or 'it is no ONNX model'})")
    inputs = tuple(_port(network.get_input(i)) for i in range(network.num_inputs))
    outputs = tuple(_port(network.get_output(i)) for i in range(network.num_outputs))
    width, height = picture_size(name, inputs, plan.size, metadata(model).get("imgsz"))
    fixed = inputs[0].shape[0]
    batch = plan.batch if fixed is None else (fixed,)
    config = builder.create_builder_config()
    if any(None in port.shape for port in inputs):
        for n in batch:  # one profile for each: fixed shapes are what a CUDA graph can hold
            profile = builder.create_optimization_profile()
            for port in inputs:
                shape = _shape(port, n, (width, height))
                profile.set_shape(port.name, shape, shape, shape)
            config.add_optimization_profile(profile)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise InvalidInputError(f"model {name}: {library.version} cannot build it ({logger.error})")
    return inputs, outputs, batch, bytes(built)


def _port(tensor: Any) -> Port:
    return Port(tensor.name, tuple(n if n > 0 else None for n in tensor.shape))


def _shape(port: Port, batch: int, size: tuple[int, int]) -> tuple[int, ...]:
    """What an input's open sizes are for a batch of pictures of ``size``."""
    whole: Sequence[int] = (batch, 3, size[1], size[0]) if len(port.shape) == 4 else (batch, 2)
    if len(whole) != len(port.shape):
        raise InvalidInputError(f"input {port.name}: found shape {list(port.shape)}, expected [batch, 2]")
    return tuple(n or whole[i] for i, n in enumerate(port.shape))
