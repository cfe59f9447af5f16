"""What the benchmarks rely on to say the truth."""
