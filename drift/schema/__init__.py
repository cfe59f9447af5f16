"""The schemas of Kubernetes objects: the keys of list maps, the types of scalars, the defaults.

They come from the API server's OpenAPI v3 documents or, for dumps, from a compact copy that is shipped.
"""
