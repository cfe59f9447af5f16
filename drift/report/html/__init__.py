"""The HTML report: one self-contained file, with a script for search and filters and a plain list without scripts."""
