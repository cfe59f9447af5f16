"""The same verdicts as ``drift report``, continuously.

`feed` follows one kind by list and watch; `cluster` makes a live side of the feeds that a scan asks for; `comparing`
scans it with the very code of ``drift report``; `ledger` tells what opened and closed; `watcher` is the loop that
joins them, and `serving` shows what it last found.
"""
