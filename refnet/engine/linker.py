"""Object code, placed in memory and linked.

A linker for just what numba makes of our kernels on x86-64 Linux: ELF files in LLVM's large code model, where code
names all that it uses by full addresses, so that linking is to write addresses of 8 bytes. Everything else is refused
and left to LLVM's linker, which alone takes more memory than the rest of a process that predicts.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import platform
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from refnet.errors import UnsupportedError

__all__ = ["RefusedError", "link"]

# The parts of an ELF file, as its specification (System V ABI, chapter 4) lays them out.
FILE = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
RELOCATION = struct.Struct("<QIIq")

IDENT, RELOCATABLE, X86_64 = b"\x7fELF\x02\x01\x01", 1, 62  # 64 bits, little-endian, version 1
PROGRAM, SYMBOLS, RELOCATIONS, UNWINDING = 1, 2, 4, 0x70000001  # types of sections
WRITE, ALLOCATE = 1, 2  # flags of sections
NOWHERE, RESERVED, ABSOLUTE, COMMON = 0, 0xFF00, 0xFFF1, 0xFFF2  # sections of symbols
FULL_ADDRESS = 1  # R_X86_64_64


class RefusedError(Exception):
    """The object, or the system, is not what the linker is for."""


class _Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry: int

    def content(self, code: bytes) -> bytes:
        return code[self.offset : self.offset + self.size]


def link(code: bytes, symbol: str, address_of: Callable[[str], int | None]) -> int:
    """Return the address of a function of an object file. Its code and constants stay in memory for good.

    Frames are not registered for unwinding: nothing is thrown through a kernel.

    Parameters
    ----------
    code : bytes
        The object file. It is trusted: whoever writes it says what this process runs.
    symbol : str
        The function's name.
    address_of : callable
        From the name of a symbol that the object does not define to its address, or None if there is none.

    Raises
    ------
    RefusedError
        If there is something that this linker does not know, or the system gives no memory for code.
    """
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        raise RefusedError(f"{sys.platform} on {platform.machine()}")
    ident, kind, cpu, _, _, _, first, _, _, _, _, _, count, _ = FILE.unpack_from(code)
    if not ident.startswith(IDENT) or (kind, cpu) != (RELOCATABLE, X86_64):
        raise RefusedError("not an object for x86-64")
    sections = [_Section(*SECTION.unpack_from(code, first + k * SECTION.size)) for k in range(count)]
    places, size = _places(sections)
    memory = _memory(size)
    try:
        starts = [None if place is None else memory + place for place in places]
        symbols = _symbols(code, sections, starts, address_of)
        address = dict(symbols).get(symbol)
        if address is None:
            raise RefusedError(f"no {symbol} in the object")
        ctypes.memmove(memory, _image(code, sections, places, size, symbols), size)
        if _system().mprotect(memory, size, mmap.PROT_READ | mmap.PROT_EXEC):
            raise UnsupportedError(
                "the system lets this process run no code that it makes (mprotect failed); accepted: a process that may"
                " (systemd, for example, forbids it with MemoryDenyWriteExecute)"
            )
    except (RefusedError, UnsupportedError):
        _system().munmap(memory, size)
        raise
    return address


def _places(sections: list[_Section]) -> tuple[list[int | None], int]:
    """Return where in memory each section begins, None for those that are not needed there, and the bytes of all."""
    places: list[int | None] = []
    size = 0
    for section in sections:
        if not section.flags & ALLOCATE or section.type == UNWINDING:
            places.append(None)
            continue
        if section.type != PROGRAM or section.flags & WRITE:
            raise RefusedError(f"a section of type {section.type} with flags {section.flags}")
        if section.alignment > mmap.PAGESIZE:
            raise RefusedError(f"a section aligned to {section.alignment}")
        size = -(-size // max(1, section.alignment)) * max(1, section.alignment)
        places.append(size)
        size += section.size
    return places, max(1, size)


def _symbols(
    code: bytes,
    sections: list[_Section],
    starts: list[int | None],
    address_of: Callable[[str], int | None],
) -> list[tuple[str, int | None]]:
    """Return each symbol's name and address; None for those that have none in memory."""
    found: list[tuple[str, int | None]] = []
    for table in sections:
        if table.type != SYMBOLS:
            continue
        names = sections[table.link].content(code)
        for start, _, _, section, value, _ in SYMBOL.iter_unpack(table.content(code)):
            name = names[start : names.index(b"\0", start)].decode()
            if section == NOWHERE:
                found.append((name, address_of(name) if name else None))
            elif section == ABSOLUTE:
                found.append((name, value))
            elif section == COMMON:  # numba's environment, which only code that raises would read
                found.append((name, None))
            elif section >= RESERVED:
                raise RefusedError(f"{name} in section {section:#x}")
            else:
                begin = starts[section]
                found.append((name, None if begin is None else begin + value))
    return found


def _image(
    code: bytes, sections: list[_Section], places: list[int | None], size: int, symbols: list[tuple[str, int | None]]
) -> bytes:
    """Return what the memory is to hold."""
    image = bytearray(size)
    for section, place in zip(sections, places, strict=True):
        if place is not None:
            image[place : place + section.size] = section.content(code)
    for section in sections:
        target = places[section.info] if section.type == RELOCATIONS else None
        if target is not None:
            _relocate(image, target, section.content(code), symbols)
    return bytes(image)


def _relocate(image: bytearray, place: int, relocations: bytes, symbols: list[tuple[str, int | None]]) -> None:
    """Write the addresses that the section at a place of the image asks for."""
    for offset, kind, number, addend in RELOCATION.iter_unpack(relocations):
        name, address = symbols[number]
        if kind != FULL_ADDRESS or address is None:
            raise RefusedError(f"a relocation of type {kind} to {name!r}")
        struct.pack_into("<Q", image, place + offset, address + addend)


def _memory(size: int) -> int:
    """Return the address of new memory. With code in it, it is never given back: threads may run it till the end."""
    system = _system()
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    address = system.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise RefusedError("the system has no memory left")
    return int(address)


@functools.cache
def _system() -> Any:
    system = ctypes.CDLL(None)
    size, whole = ctypes.c_size_t, ctypes.c_int
    system.mmap.restype = ctypes.c_void_p
    system.mmap.argtypes = (ctypes.c_void_p, size, whole, whole, whole, ctypes.c_long)
    system.mprotect.argtypes = (ctypes.c_void_p, size, whole)
    system.munmap.argtypes = (ctypes.c_void_p, size)
    return system
