"""Manifests with every kind of list and value that the comparison must handle, one file per area."""
