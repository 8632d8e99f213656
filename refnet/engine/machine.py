"""The CPU that kernels are compiled for: its name, features, and how wide its vectors are."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

__all__ = ["Machine", "machine"]


@dataclass(frozen=True)
class Machine:
    """What compiled code may use.

    Attributes
    ----------
    cpu : str
        LLVM's name of the CPU (``NUMBA_CPU_NAME`` overrides it).
    features : str
        LLVM's feature list (``NUMBA_CPU_FEATURES`` overrides it).
    vector_bytes : int
        Bytes in one vector register: 64 (AVX-512), 32 (AVX2 with FMA) or 16.
    """

    cpu: str
    features: str
    vector_bytes: int

    def lanes(self, itemsize: int) -> int:
        """Return how many numbers of ``itemsize`` bytes one vector holds."""
        return self.vector_bytes // itemsize

    @property
    def registers(self) -> int:
        """How many vector registers there are."""
        return 32 if self.vector_bytes == 64 else 16

    def tile(self, itemsize: int) -> tuple[int, int]:
        """Return (rows, vectors) of the block of outputs that the matrix kernel keeps in registers.

        AVX-512 has 32 registers: 8 x 3 sums, 3 of the weight, the rest for x. The others have 16: 4 x 3 sums.
        """
        return (8, 3) if self.vector_bytes == 64 else (4, 3)


@functools.cache
def machine() -> Machine:
    """Return the machine that this process compiles for."""
    import llvmlite.binding as llvm

    cpu = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        generic = cpu == "generic"
        features = "" if generic else llvm.get_host_cpu_features().flatten()
    present = {flag[1:] for flag in features.split(",") if flag.startswith("+")}
    if {"avx512f", "avx512dq", "avx512vl"} <= present:
        width = 64
    elif {"avx2", "fma"} <= present:
        width = 32
    else:
        width = 16
    return Machine(cpu, features, width)
