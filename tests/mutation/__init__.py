"""Random edits of every object of the corpus on a real API server, and what the report must say of each.

`edits` makes them, driven by the server's OpenAPI document; `server` has them answered for show, so that nothing is
stored; `differences` tells what an edit changed, without any of the comparison's code; `oracle` holds the report to
it, but for what `exceptions` lists.
"""
