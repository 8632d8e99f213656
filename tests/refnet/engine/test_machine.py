from __future__ import annotations

import platform
import sys

import llvmlite.binding as llvm
import pytest

from refnet.engine.machine import Machine, machine, processor


@pytest.mark.parametrize(
    ("cpu", "features", "width"),
    [
        ("generic", "", 16),
        ("haswell", "+avx2,+fma", 32),
        ("sandybridge", "+avx", 16),
        ("skylake-avx512", "+avx2,+fma,+avx512f,+avx512dq,+avx512vl", 64),
    ],
)
def test_the_vectors_follow_the_features(monkeypatch, cpu, features, width):
    monkeypatch.setenv("NUMBA_CPU_NAME", cpu)
    monkeypatch.setenv("NUMBA_CPU_FEATURES", features)

    found = machine.__wrapped__()

    assert (found.cpu, found.vector_bytes, found.lanes(4)) == (cpu, width, width // 4)


@pytest.mark.parametrize(
    ("machine_name", "features", "fused"),
    [("x86_64", "+avx", False), ("x86_64", "+avx2,+fma", True), ("aarch64", "+neon", True), ("arm64", "+neon", True)],
)
def test_multiply_adds_are_fused_on_arm_and_with_avx2(monkeypatch, machine_name, features, fused):
    monkeypatch.setattr(platform, "machine", lambda: machine_name)
    monkeypatch.setenv("NUMBA_CPU_FEATURES", features)
    assert machine.__wrapped__().fused == fused


def test_the_generic_processor_has_no_features_unless_told(monkeypatch):
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    monkeypatch.delenv("NUMBA_CPU_FEATURES", raising=False)
    assert machine.__wrapped__().vector_bytes == 16


@pytest.mark.parametrize(("name", "value"), [("NUMBA_CPU_NAME", "ivybridge"), ("NUMBA_ENABLE_AVX", "0")])
def test_where_numba_switches_avx_off_there_is_none(monkeypatch, name, value):
    monkeypatch.delenv("NUMBA_CPU_FEATURES", raising=False)
    monkeypatch.setenv(name, value)
    assert machine.__wrapped__().vector_bytes == 16


def test_the_block_of_sums_fits_the_registers():
    rows, vectors = machine().tile
    assert rows * vectors + vectors <= (32 if machine().vector_bytes == 64 else 16)


@pytest.mark.parametrize(
    ("cpu", "vector_bytes", "whole"),
    [
        ("AMD EPYC (family 25, model 17)", 64, False),
        ("AMD EPYC (family 26, model 2)", 64, True),
        ("AMD EPYC (family 26, model 2)", 32, False),
        ("Intel Xeon (family 6, model 143)", 64, False),
        ("generic", 16, False),
    ],
)
def test_which_units_take_whole_vectors(cpu, vector_bytes, whole):
    assert Machine(cpu, "", vector_bytes).whole_vectors == whole


def test_the_processor_has_a_name():
    name, flags = processor()
    assert name
    if sys.platform.startswith("linux") and platform.machine() == "x86_64":
        assert "sse2" in flags
        assert "(family " in name


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere LLVM is asked")
def test_linux_and_llvm_find_the_same_vectors():
    found = {name for name, present in llvm.get_host_cpu_features().items() if present}
    for name in ("avx2", "fma", "avx512f", "avx512dq", "avx512vl"):
        assert (name in processor()[1]) == (name in found), name
