"""What a CPU computes, as one digest per activation, dtype and network: run as a program, it prints them as JSON."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterator
from unittest import mock

import numpy as np

from refnet import activations
from refnet.engine import apply as engine_apply, threads, workers
from refnet.engine.machine import machine
from refnet.engine.plan import Plan
from refnet.layers.operations import Activate, Columnwise, Matmul, affine
from refnet.layers.prelu import prelu

#: How many inputs a function has per dtype: float16 all of them. float64 is slow where there is no fma.
INPUTS = {"float16": 1 << 16, "float32": 1 << 20, "float64": 1 << 14}


def blocks() -> Iterator[activations.Activation]:
    """Yield every activation in every form that it has a kernel for."""
    for name in activations.names():
        block = activations.get(name)
        yield block.with_parameters(**dict.fromkeys(block.required, 0.5))
        yield from (block.with_parameters(**{flag: True}) for flag in block.flags)


def patterns(dtype: str) -> np.ndarray:
    """Return bit patterns: all of float16, as many random ones of float32 and of float64, with ordinary numbers."""
    rng = np.random.default_rng(0)
    count = INPUTS[dtype]
    if dtype == "float16":
        return np.arange(count, dtype=np.uint16).view(np.float16)
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
    half = rng.integers(0, np.iinfo(unsigned).max, count // 2, dtype=unsigned, endpoint=True).view(dtype)
    return np.concatenate([half, (rng.standard_normal(count // 2) * 9).astype(dtype)])


def digest(y: np.ndarray) -> str:
    """Return the digest of an array's bits. Of a NaN it counts that it is one, not its sign or payload."""
    return hashlib.sha256(np.where(np.isnan(y), y.dtype.type(0.125), y).tobytes() + np.isnan(y).tobytes()).hexdigest()


def networks() -> Iterator[tuple[str, np.ndarray]]:
    """Yield the results of some networks, whose sums span blocks and whose rows and columns span tiles."""
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    def dense(sizes: tuple[int, ...]) -> Plan:
        operations: list[Matmul | Activate] = []
        for inner, columns in itertools.pairwise(sizes):
            weight = numbers(inner, columns) / np.sqrt(inner).astype(dtype)
            operations += [Matmul(weight, None if columns == 37 else numbers(columns)), Activate(sigmoid)]
        if sizes[-1] > 1:  # of one column softmax is 1
            operations[-1] = Activate(softmax)
        return Plan(operations, sizes[0], dtype)

    sigmoid, softmax = map(activations.get, ("sigmoid", "softmax"))
    for dtype in ("float32", "float64"):
        for sizes in ((5, 10, 10, 10), (300, 37, 10), (777, 130, 1), (1, 300, 3), (513, 49, 97)):
            yield f"{'-'.join(map(str, sizes))} {dtype}", dense(sizes)(numbers(77, sizes[0]))
        yield f"7-10000 {dtype}", dense((7, 10_000))(numbers(3, 7))
        scale, shift, alpha = numbers(3, 50)
        steps = [Matmul(numbers(9, 50), None), Columnwise(affine, (scale, shift)), Columnwise(prelu, (alpha,))]
        yield f"affine and prelu {dtype}", Plan(steps, 9, dtype)(numbers(77, 9))
        x = numbers(40, 10)
        for rows, name in itertools.product((1, 31, 32, 40), ("softmax", "log_softmax")):  # 32 rows are 32 lanes
            yield f"{name} of {rows} rows {dtype}", Plan([Activate(activations.get(name))], 10, dtype)(x[:rows])
        for rows, sizes in ((77, (513, 49, 97)), (3, (700, 519, 97))):  # shared by rows, and by columns
            plan, two = dense(sizes), functools.cache(lambda: 2)
            with (
                mock.patch.multiple(threads, _chosen=2, cores=two),
                mock.patch.object(workers, "BRIEF_WORK", 0),  # on a busy machine too
            ):
                y = plan(numbers(rows, sizes[0]))
            yield f"{rows} rows on two threads {dtype}", y


def digests() -> dict[str, str]:
    """Return name -> digest of everything above."""
    found = {name: digest(y) for name, y in networks()}
    for dtype in INPUTS:
        x = patterns(dtype)
        for block in blocks():
            finite = np.where(np.isfinite(x), x, x.dtype.type(1))
            rows = x if block.kind == "elementwise" else finite.reshape(-1, 8)
            found[f"{block!r} {dtype}"] = digest(block(rows))
            if block.kind != "elementwise":  # 200 at a time, with some left over for every vector
                mild = np.clip(finite, -9, 9)[: x.size // 200 * 200].reshape(-1, 200)
                found[f"{block!r} of long rows {dtype}"] = digest(block(mild))
    return {**found, **past_the_caches()}


def past_the_caches() -> dict[str, str]:
    """Return the digests of some functions by the kernels that write past the caches."""
    before, engine_apply.STREAMED_BYTES = engine_apply.STREAMED_BYTES, 0
    try:
        some = [block for block in blocks() if block.kind == "elementwise"][:3]
        return {f"{block!r} past the caches": digest(engine_apply.apply(block, patterns("float32"))) for block in some}
    finally:
        engine_apply.STREAMED_BYTES = before


if __name__ == "__main__":
    print(json.dumps({"vector_bytes": machine().vector_bytes, "digests": digests()}))
