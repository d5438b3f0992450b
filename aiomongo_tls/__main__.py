"""`python -m aiomongo_tls` is the same program as `aiomongo-tls`."""

from __future__ import annotations

import sys

from aiomongo_tls.cli import main

if __name__ == "__main__":
    sys.exit(main())
