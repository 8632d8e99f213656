"""The CPU that kernels are compiled for: its name, features, and how wide its vectors are."""

from __future__ import annotations

import functools
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine", "machine", "processor"]


@functools.cache
def processor() -> tuple[str, frozenset[str]]:
    """Return the processor's name, and what it can do in Linux' words; nothing of that on other systems.

    Family and model tell generations apart that carry one name.
    """
    fields = {}
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if not key.strip():
                    break  # the first core is described
                fields[key.strip()] = value.strip()
    except OSError:
        pass
    name = fields.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in fields:
        name = f"{name} (family {fields['cpu family']}, model {fields.get('model')})"
    return name, frozenset(fields.get("flags", fields.get("Features", "")).split())


@dataclass(frozen=True)
class Machine:
    """What compiled code may use.

    Attributes
    ----------
    cpu : str
        Its name (``NUMBA_CPU_NAME`` overrides it).
    features : str
        What it can do (``NUMBA_CPU_FEATURES`` overrides it).
    vector_bytes : int
        Bytes in one vector register: 64 (AVX-512), 32 (AVX2 with FMA) or 16.
    """

    cpu: str
    features: str
    vector_bytes: int

    @property
    def fused(self) -> bool:
        """Whether vectors are multiplied and added by one instruction, and not by calls of the C library's fma.

        On 64-bit ARM they always are, on x86-64 where there is AVX2 or more.
        """
        return self.vector_bytes > 16 or platform.machine() in ("aarch64", "arm64")

    def lanes(self, itemsize: int) -> int:
        """Return how many numbers of ``itemsize`` bytes one vector holds."""
        return self.vector_bytes // itemsize

    @property
    def registers(self) -> int:
        """How many vector registers there are."""
        return 32 if self.vector_bytes == 64 else 16

    @property
    def whole_vectors(self) -> bool:
        """Whether a unit works on a whole vector of AVX-512 at once, and not on its halves in turn.

        So do AMD's processors from the Zen 5 on, which is family 26.
        """
        family = re.search(r"\(family (\d+),", self.cpu)
        return self.vector_bytes == 64 and family is not None and int(family[1]) >= 26

    @property
    def tile(self) -> tuple[int, int]:
        """(rows, vectors) of the block of outputs that the matrix kernel keeps in registers.

        AVX-512 has 32 registers: 8 x 3 sums, 3 of the weight, the rest for x. The others have 16: 4 x 3 sums.
        """
        return (8, 3) if self.vector_bytes == 64 else (4, 3)


#: Processors for which numba does not use AVX.
WITHOUT_AVX = ("corei7-avx", "core-avx-i", "sandybridge", "ivybridge")


@functools.cache
def machine() -> Machine:
    """Return the machine that this process compiles for.

    Where Linux tells what the processor can do, LLVM is not asked, nor loaded.
    """
    cpu, flags = processor()
    if platform.machine() != "x86_64" or not flags:
        import llvmlite.binding as llvm

        cpu = llvm.get_host_cpu_name()
        flags = frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)
    cpu = os.environ.get("NUMBA_CPU_NAME") or cpu
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is not None:
        flags = frozenset(flag[1:] for flag in features.split(",") if flag.startswith("+"))
    elif cpu == "generic":
        flags = frozenset()
    elif os.environ.get("NUMBA_ENABLE_AVX", "1") == "0" or cpu in WITHOUT_AVX:  # then numba switches it off
        flags = frozenset(flag for flag in flags if not flag.startswith("avx"))
    if {"avx512f", "avx512dq", "avx512vl"} <= flags:
        width = 64
    elif {"avx2", "fma"} <= flags:
        width = 32
    else:
        width = 16
    return Machine(cpu, ",".join(sorted(flags)) if features is None else features, width)
