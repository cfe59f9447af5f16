"""Fields that Kubernetes takes as a number or a percentage."""

from cdk8s_plus_27.k8s import IntOrString


def int_or_string(value: int | str) -> IntOrString:
    """`1` as a number, `"25%"` as text."""
    return IntOrString.from_number(value) if isinstance(value, int) else IntOrString.from_string(value)
