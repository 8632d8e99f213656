from __future__ import annotations

import ctypes
import platform
import struct
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from refnet import activations
from refnet.engine import forward, linker, objects
from refnet.engine.capi import address_of
from refnet.engine.forward import door_code
from refnet.errors import UnsupportedError

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() != "x86_64", reason="objects for x86-64 Linux"
)

#: A function that reads a table of constants by way of a table of addresses, and calls another one from outside.
CODE = """
target triple = "x86_64-unknown-linux-gnu"
@thirds = internal constant [3 x double] [double 3.0, double 6.0, double 9.0]
@tables = internal constant [2 x ptr] [ptr @thirds, ptr getelementptr ([3 x double], ptr @thirds, i64 0, i64 1)]
declare double @outside(double)
define double @inside(i64 %which, i64 %entry) {
  %place = getelementptr [2 x ptr], ptr @tables, i64 0, i64 %which
  %table = load ptr, ptr %place
  %at = getelementptr double, ptr %table, i64 %entry
  %x = load double, ptr %at
  %y = call double @outside(double %x)
  ret double %y
}
"""
OUTSIDE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x / 3.0)


def assembled(text: str = CODE, model: str = "large") -> bytes:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(codemodel=model, reloc="static")
    return target.emit_object(llvm.parse_assembly(text))


def outside(name: str) -> int | None:
    return ctypes.cast(OUTSIDE, ctypes.c_void_p).value if name == "outside" else None


def test_code_reaches_its_constants_and_what_is_outside():
    address = linker.link(assembled(), "inside", outside)
    inside = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, ctypes.c_int64)(address)

    assert [inside(0, i) for i in range(3)] == [1.0, 2.0, 3.0]
    assert [inside(1, i) for i in range(2)] == [2.0, 3.0]


def test_code_cannot_be_written():
    address = linker.link(assembled(), "inside", outside)
    ranges = [line.split()[:2] for line in Path("/proc/self/maps").read_text().splitlines()]
    modes = [mode for span, mode in ranges if int(span.split("-")[0], 16) <= address < int(span.split("-")[1], 16)]

    assert [mode[:3] for mode in modes] == ["r-x"]


def with_word(code: bytes, offset: int, form: str, value: int) -> bytes:
    changed = bytearray(code)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("code", "symbol", "said"),
    [
        (lambda: b"MZ" + assembled()[2:], "inside", "not an object"),
        (lambda: with_word(assembled(), 18, "<H", 183), "inside", "not an object"),  # another machine
        (lambda: with_word(assembled(), 16, "<H", 3), "inside", "not an object"),  # already linked
        (lambda: assembled(model="small"), "inside", "relocation"),
        (lambda: assembled(CODE.replace("@outside", "@nowhere")), "inside", "'nowhere'"),
        (assembled, "absent", "no absent"),
        (lambda: assembled(CODE.replace("internal constant [3", "internal global [3")), "inside", "section"),
        (lambda: assembled(CODE.replace("double 9.0]", "double 9.0], align 65536")), "inside", "aligned"),
    ],
    ids=["format", "machine", "linked", "model", "outside", "symbol", "writable", "alignment"],
)
def test_what_it_does_not_know_is_refused(code, symbol, said):
    with pytest.raises(linker.RefusedError, match=said):
        linker.link(code(), symbol, outside)


@pytest.mark.parametrize(("system", "cpu"), [("darwin", "x86_64"), ("linux", "aarch64"), ("win32", "AMD64")])
def test_other_systems_are_left_to_llvm(monkeypatch, system, cpu):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: cpu)
    with pytest.raises(linker.RefusedError, match=f"{system} on {cpu}"):
        linker.link(assembled(), "inside", outside)


def test_memory_that_may_not_hold_code_is_refused(monkeypatch):
    system = linker._system()
    given_back = []

    class Strict:
        mmap = staticmethod(system.mmap)

        @staticmethod
        def mprotect(*arguments):
            return -1

        @staticmethod
        def munmap(memory, size):
            given_back.append(memory)
            return system.munmap(memory, size)

    monkeypatch.setattr(linker, "_system", Strict)
    with pytest.raises(UnsupportedError, match="run no code that it makes"):  # LLVM would run it, and crash
        linker.link(assembled(), "inside", outside)
    assert len(given_back) == 1


def test_every_compiled_function_is_linked_without_llvm():
    for name in forward.DOORS:
        door_code(name)
    activations.get("softmax")(np.zeros((1, 2), np.float32))
    entries = list(objects.cache_folder().glob("*.o"))
    if not entries:
        pytest.skip("no cache of kernels can be written here")
    for entry in entries:
        symbol, code = objects._read(entry.stem)
        assert linker.link(code, symbol, address_of)
    assert not objects._engines


def test_what_is_refused_goes_to_llvm(monkeypatch):
    activations.get("relu")(np.zeros(1, np.float32))
    symbol, code = objects._read("relu-float32-fixed") or pytest.skip("no cache of kernels can be written here")
    monkeypatch.setattr(linker, "FULL_ADDRESS", 0)
    monkeypatch.setattr(objects, "_engines", [])

    address = objects._load(symbol, code)
    x, y = np.array([-1.0, 2.0], np.float32), np.empty(2, np.float32)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(address)
    call(x.ctypes.data, y.ctypes.data, 1, 2, 0, 0)

    assert len(objects._engines) == 1
    assert y.tolist() == [0.0, 2.0]
