"""Chooses the clusters of a run from its flags."""

from collections.abc import Sequence
from dataclasses import dataclass

from drift.errors import UsageError


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """One cluster, as the flags name it.

    Attributes:
        kubeconfig: The file, or None for the one that kubectl would use.
        context: The context, or None for the current one.
    """

    kubeconfig: str | None = None
    context: str | None = None

    def __str__(self) -> str:
        """The name in messages, and in the report if the address of the server is unknown."""
        named = ((name, value) for name, value in (("context", self.context), ("kubeconfig", self.kubeconfig)) if value)
        return " of ".join(f"{name} {value}" for name, value in named) or "the current context"


def chosen_targets(kubeconfigs: Sequence[str], contexts: Sequence[str]) -> list[ClusterTarget]:
    """Returns the clusters that the flags name.

    A kubeconfig or context that is given once is combined with each of the others. If both are given equally often,
    they are paired in order.

    Raises:
        UsageError: The flags cannot be paired, or name a cluster twice.
    """
    files: Sequence[str | None] = kubeconfigs or [None]
    names: Sequence[str | None] = contexts or [None]
    most = max(len(files), len(names))
    if min(len(files), len(names)) not in {1, most}:
        raise UsageError(
            f"--kubeconfig is given {len(files)} times and --context {len(names)} times: give one of them once, "
            "or both equally often to pair them in order"
        )
    pairs = zip(_spread(files, most), _spread(names, most), strict=True)
    targets = [ClusterTarget(kubeconfig, context) for kubeconfig, context in pairs]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"{target} is named twice; name each cluster once")
    return targets


def _spread(values: Sequence[str | None], count: int) -> Sequence[str | None]:
    return values if len(values) == count else [values[0]] * count
