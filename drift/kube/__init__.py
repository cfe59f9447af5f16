"""Live objects: reads a cluster with get, list and watch, or a dump of it. Nothing here can write."""
