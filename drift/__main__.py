"""Runs the command line for ``python -m drift``."""

from drift.cli import program

if __name__ == "__main__":
    program()
