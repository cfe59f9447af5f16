"""Learns what ``drift/schema/data`` holds from a real API server and the Go types of its API.

``python -m tools.learn`` writes the files; the same version of Kubernetes gives the same bytes.
"""
