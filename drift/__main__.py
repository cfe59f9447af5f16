"""Lets ``python -m drift`` do what ``drift`` does."""

from drift.cli import program

if __name__ == "__main__":
    program()
