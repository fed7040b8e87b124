"""A small detection model, made where it is needed: what is bright is a car."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SIDE = 64
HALF = 6


def bright_is_a_car(path: Path, batch: int | str = "batch", *, half: bool = False, **stated: str) -> Path:
    """A model of the layout `end2end` that finds one car in a picture of 64 x 64: where the bright pixels' middle is.

    Args:
        path: Where to.
        batch: Pictures in one go, or the name of an open number.
        half: It counts in float16.
        stated: What it says of itself beside its class names.
    """
    onnx = pytest.importorskip("onnx", reason="the onnx package makes the models of these tests")
    from onnx import TensorProto, helper, numpy_helper

    kind, number = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    known = {
        "green": np.array([0, 1, 0]).reshape(1, 3, 1, 1),
        "dark": np.array(0.5),
        "x": x + 0.5,
        "y": y + 0.5,
        "little": np.array(1e-4),
        "half": np.array(HALF),
        "many": np.array(100),
        "one": np.array(1),
        "car": np.array(0),
    }
    nodes = [
        helper.make_node("Conv", ["images", "green"], ["luma"]),
        helper.make_node("Sub", ["luma", "dark"], ["above"]),
        helper.make_node("Relu", ["above"], ["bright"]),
        helper.make_node("ReduceMean", ["bright"], ["light"], axes=[2, 3]),
        helper.make_node("Add", ["light", "little"], ["some"]),
    ]
    for axis in ("x", "y"):
        nodes += [
            helper.make_node("Mul", ["bright", axis], [f"moment_{axis}"]),
            helper.make_node("ReduceMean", [f"moment_{axis}"], [f"mean_{axis}"], axes=[2, 3]),
            helper.make_node("Div", [f"mean_{axis}", "some"], [f"middle_{axis}"]),
            helper.make_node("Sub", [f"middle_{axis}", "half"], [f"from_{axis}"]),
            helper.make_node("Add", [f"middle_{axis}", "half"], [f"to_{axis}"]),
        ]
    nodes += [
        helper.make_node("Mul", ["light", "many"], ["lit"]),
        helper.make_node("Min", ["lit", "one"], ["score"]),
        helper.make_node("Mul", ["light", "car"], ["class"]),
        helper.make_node("Concat", ["from_x", "from_y", "to_x", "to_y", "score", "class"], ["row"], axis=3),
        helper.make_node("Reshape", ["row", "shape"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("images", kind, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", kind, [batch, 1, 6])],
        [
            *(numpy_helper.from_array(value.astype(number), name) for name, value in known.items()),
            numpy_helper.from_array(np.array([-1, 1, 6], np.int64), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": "{0: 'car', 1: 'person'}", **stated})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
