"""The shape of Kubernetes objects: which lists are keyed by what, which strings are quantities, what the defaults are.

It comes from the API server's own OpenAPI v3 documents, or for dumps from a compact copy that is shipped.
"""
