"""Entry point of ``python -m tests.cluster``."""

from __future__ import annotations

import sys

from tests.cluster.cli import main

if __name__ == "__main__":
    sys.exit(main())
