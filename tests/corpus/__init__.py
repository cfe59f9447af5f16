"""Manifests of our own with every kind of list and value that a comparison has to get right, one file per area."""
