"""Report formats. Each format is one module with one function from a `Report` to text."""
