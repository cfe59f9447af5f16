"""Fields that Kubernetes takes as a number or as text.

Each is an object in the Node process, and to make one is a round trip: equal ones are made once.
"""

import functools

from cdk8s_plus_27.k8s import IntOrString, Quantity


@functools.cache
def int_or_string(value: int | str) -> IntOrString:
    """`1` as a number, `"25%"` as text."""
    return IntOrString.from_number(value) if isinstance(value, int) else IntOrString.from_string(value)


@functools.cache
def quantity(text: str) -> Quantity:
    """`100m`, `1Gi`."""
    return Quantity.from_string(text)
