"""Random edits of every object of the corpus on a real API server, and checks of the report about each.

`edits` makes edits from the server's OpenAPI document. `server` sends them as dry runs. `differences` finds what an
edit changed, without the code of the comparison. `oracle` compares the report with that; `exceptions` lists the
differences that a report may leave out.
"""
