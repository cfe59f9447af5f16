"""Compares a live Kubernetes cluster with a folder of manifests and reports what differs, by whom and since when."""

__version__ = "0.1.0"
