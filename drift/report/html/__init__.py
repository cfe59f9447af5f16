"""The HTML report: one file that needs nothing else, with a script for search and filters and a listing without it."""
