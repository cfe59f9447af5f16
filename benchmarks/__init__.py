"""Benchmarks that anyone can repeat; most modules are commands."""
