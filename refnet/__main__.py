"""``python -m refnet``: the same as the command ``refnet``."""

from __future__ import annotations

import sys

from refnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
