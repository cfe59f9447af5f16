"""Lets ``python -m drift`` do what ``drift`` does."""

import sys

from drift.cli import main

if __name__ == "__main__":
    sys.exit(main())
