"""Small detection models, made where they are needed: whatever is bright is a car."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIDE = 64
CELLS = sum((SIDE // stride) ** 2 for stride in (8, 16, 32))


def bright_is_a_car(path: Path, batch: int | str = "batch", *, half: bool = False, **stated: str) -> Path:
    """A model of YOLOv8's layout that finds a car in every bright cell of a picture of 64 x 64.

    Args:
        path: Where to.
        batch: Pictures in one go, or the name of an open number.
        half: It counts in float16.
        stated: What it says of itself beside its class names.
    """
    onnx = pytest.importorskip("onnx", reason="the onnx package makes the models of these tests")
    from onnx import TensorProto, helper, numpy_helper

    kind, number = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    nodes: list[Any] = []
    known: list[Any] = [numpy_helper.from_array(np.array([0, 1, -1], np.int64), "flat")]
    green = np.zeros((1, 3, 1, 1), number)
    green[0, 1] = 1
    known.append(numpy_helper.from_array(green, "green"))
    nodes.append(helper.make_node("Conv", ["images", "green"], ["luma"]))
    boxes = []
    for stride in (8, 16, 32):
        side = [stride, stride]
        nodes.append(helper.make_node("AveragePool", ["luma"], [f"cells{stride}"], kernel_shape=side, strides=side))
        nodes.append(helper.make_node("Reshape", [f"cells{stride}", "flat"], [f"row{stride}"]))
        y, x = np.mgrid[: SIDE // stride, : SIDE // stride] * stride + stride / 2
        boxes.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, stride), np.full(x.size, stride)]))
    nodes.append(helper.make_node("Concat", [f"row{s}" for s in (8, 16, 32)], ["cars"], axis=2))
    known.append(numpy_helper.from_array(np.concatenate(boxes, axis=1)[None].astype(number), "places"))
    known.append(numpy_helper.from_array(np.zeros(1, number), "zero"))
    nodes.append(helper.make_node("Mul", ["cars", "zero"], ["dark"]))
    nodes.append(helper.make_node("Add", ["dark", "places"], ["boxes"]))  # for as many pictures as there are
    nodes.append(helper.make_node("Concat", ["boxes", "cars", "dark"], ["output0"], axis=1))
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("images", kind, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", kind, [batch, 6, CELLS])],
        known,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": "{0: 'car', 1: 'person'}", **stated})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
