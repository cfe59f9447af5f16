"""What the API calls a kind in its addresses and in the rules of a Role."""


def resource_of(kind: str) -> str:
    """`networkpolicies` for `NetworkPolicy`: the plural by the same rule that Kubernetes guesses it by."""
    name = kind.lower()
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
