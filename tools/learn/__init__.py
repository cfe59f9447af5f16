"""Writes ``drift/schema/data`` from a real API server and the Go types of its API.

``python -m tools.learn`` writes the files. The same version of Kubernetes gives the same bytes.
"""
