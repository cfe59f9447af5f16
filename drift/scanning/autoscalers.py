"""Reads HorizontalPodAutoscalers, but only if the replicas of some object differ."""

from collections.abc import Iterator
from typing import Final

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.live import LiveSource
from drift.kube.resources import Resources
from drift.policy.findings import Autoscaler, read_autoscaler

#: Pairs (namespaces, autoscalers): after so many namespaces have been listed one by one, try to list all namespaces at
#: once, but give up if there are more than so many autoscalers.
_LIST_ALL_AFTER: Final = ((1, 500), (10, 5000))


class Autoscalers:
    """Finds the autoscalers of a namespace, with few requests.

    Args:
        source: The cluster or dump.
        resources: The kinds that the scan may read.

    Attributes:
        notes: One sentence for each namespace whose autoscalers could not be read.
    """

    def __init__(self, source: LiveSource, resources: Resources) -> None:
        self.notes: list[str] = []
        self._source = source
        self._resource = resources.preferred("autoscaling", "HorizontalPodAutoscaler")
        self._listed: dict[str | None, tuple[Autoscaler, ...]] = {}
        self._by_namespace: dict[str | None, tuple[Autoscaler, ...]] | None = None
        self._attempts = list(_LIST_ALL_AFTER)

    def in_namespace(self, namespace: str | None) -> tuple[Autoscaler, ...]:
        """Returns the autoscalers of a namespace, or () if there are none or they cannot be read."""
        is_new = namespace not in self._listed
        if is_new and self._attempts and len(self._listed) >= self._attempts[0][0]:
            self._by_namespace = self._list_everywhere(at_most=self._attempts.pop(0)[1])
        if self._by_namespace is not None:
            return self._by_namespace.get(namespace, ())
        if is_new:
            try:
                self._listed[namespace] = tuple(found for _, found in self._list(namespace))
            except RequestError as error:
                self._listed[namespace] = ()
                self.notes.append(f"cannot read autoscalers in {namespace}, which may have set replicas: {error}")
        return self._listed[namespace]

    def _list_everywhere(self, at_most: int) -> dict[str | None, tuple[Autoscaler, ...]] | None:
        """Returns the autoscalers of all namespaces, or None if the account may not list them or there are too many."""
        everywhere: dict[str | None, tuple[Autoscaler, ...]] = {}
        try:
            for namespace, autoscaler in self._list(None, at_most=at_most):
                everywhere[namespace] = (*everywhere.get(namespace, ()), autoscaler)
        except TooManyObjectsError:
            return None
        except RequestError:
            # From now on, list one namespace after the other; each failure gets a note of its own.
            self._attempts.clear()
            return None
        return everywhere

    def _list(self, namespace: str | None, at_most: int | None = None) -> Iterator[tuple[str | None, Autoscaler]]:
        if self._resource is None:
            return
        for live in self._source.list(self._resource, namespace, at_most=at_most):
            autoscaler = read_autoscaler(live.body)
            if autoscaler is not None:
                yield live.namespace, autoscaler
