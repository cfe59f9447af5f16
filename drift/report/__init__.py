"""A report in the forms that people and tools read. Each format is one module with one function: Report -> text."""
