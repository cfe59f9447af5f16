"""What drifted when, and for how long: a file that remembers findings from scan to scan, and never a value."""
