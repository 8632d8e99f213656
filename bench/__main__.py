"""``python -m bench``."""

from __future__ import annotations

import sys

from refnet.errors import missing

if __name__ == "__main__":
    try:
        from bench.cli import main
    except ModuleNotFoundError as error:
        print(f"bench: {missing(error)}", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
