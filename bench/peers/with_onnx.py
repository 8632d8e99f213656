"""ONNX Runtime and OpenVINO, both fed the same ONNX model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.jobs import Activation, Forward, Job, LacksError, Ready, quickest

__all__ = ["model", "onnxruntime", "openvino"]

#: Keras' name -> the ONNX operators in a row that compute it (opset 20).
OPERATORS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "elu": (("Elu", {}),),
    "gelu": (("Gelu", {}),),
    "linear": (),
    "relu": (("Relu", {}),),
    "sigmoid": (("Sigmoid", {}),),
    "softmax": (("Softmax", {"axis": -1}),),
    "softplus": (("Softplus", {}),),
    "tanh": (("Tanh", {}),),
}
#: Opset 20 is the first with Gelu; both runtimes read IR version 9.
OPSET, IR_VERSION = 20, 9


def model(job: Forward) -> bytes:
    """Return the job as a serialized ONNX model: Gemm and activation for each layer."""
    nodes, weights, last = [], [], "x"
    for index, (weight, bias, activation) in enumerate(job.layers):
        weights += [numpy_helper.from_array(weight, f"w{index}"), numpy_helper.from_array(bias, f"b{index}")]
        nodes.append(helper.make_node("Gemm", [last, f"w{index}", f"b{index}"], [f"z{index}"]))
        last = _activate(nodes, activation, f"z{index}", index)
    nodes.append(helper.make_node("Identity", [last], ["y"]))
    batch, inputs = job.x.shape
    graph = helper.make_graph(
        nodes,
        "bench",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, len(job.layers[-1][1])])],
        weights,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return onnx.ModelProto.SerializeToString(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION))


def _activate(nodes: list[Any], activation: str, last: str, index: int) -> str:
    """Append the operators of one activation and return the name of their result."""
    if activation == "silu":  # no operator of its own before opset 24; both runtimes fuse the pair
        nodes.append(helper.make_node("Sigmoid", [last], [f"s{index}"]))
        nodes.append(helper.make_node("Mul", [last, f"s{index}"], [f"a{index}"]))
        return f"a{index}"
    if activation not in OPERATORS:
        raise LacksError(f"no ONNX operator is known for {activation}")
    for step, (operator, attributes) in enumerate(OPERATORS[activation]):
        nodes.append(helper.make_node(operator, [last], [f"a{index}_{step}"], **attributes))
        last = f"a{index}_{step}"
    return last


def onnxruntime(variant: str, job: Job, threads: int) -> Ready:
    """Return the job in ONNX Runtime on its CPU provider: by `run`, or with input and output bound, if quicker."""
    import onnxruntime as ort

    forward = _only_forward(job)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model(forward), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    x = ort.OrtValue.ortvalue_from_numpy(forward.x)
    y = ort.OrtValue.ortvalue_from_shape_and_type([len(forward.x), len(forward.layers[-1][1])], np.float32)
    binding.bind_ortvalue_input("x", x)
    binding.bind_ortvalue_output("y", y)
    feed = {"x": forward.x}
    return quickest(
        Ready(lambda: session.run(None, feed)[0]),
        Ready(lambda: session.run_with_iobinding(binding), lambda _: y.numpy(), keeps=(forward, x)),
    )


def openvino(variant: str, job: Job, threads: int) -> Ready:
    """Return the job in OpenVINO, held to float32 (it would take bfloat16 where the CPU has it)."""
    import openvino as ov

    forward = _only_forward(job)
    core = ov.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(core.read_model(model(forward)), "CPU", settings)
    request = compiled.create_infer_request()
    x = np.ascontiguousarray(forward.x)
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))
    output: Callable[[Any], Any] = lambda _: request.get_output_tensor().data  # noqa: E731

    def begin_and_wait() -> None:
        request.start_async()
        request.wait()

    return quickest(
        Ready(lambda: request.infer(share_inputs=True, share_outputs=True), output, keeps=x),
        Ready(begin_and_wait, output, keeps=x),
    )


def _only_forward(job: Job) -> Forward:
    if isinstance(job, Activation):
        raise LacksError("only forward passes run through ONNX here")
    return job
