"""``python -m parity``: the same as ``parity``."""

from __future__ import annotations

from parity.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
