"""``drift watch``: the same verdicts as ``drift report``, kept current.

A `Reflector` lists and watches one kind. `WatchedCluster` makes a live source of all reflectors, and `Comparison` scans
it with the code of ``drift report``. `OpenFindings` reports which findings opened and closed. `Watcher` is the main
loop, and `http_server` serves the latest report.
"""
