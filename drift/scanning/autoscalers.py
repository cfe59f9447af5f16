"""The autoscalers that may have set replicas, asked for only where replicas differ."""

from collections.abc import Iterator
from typing import Final

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.live_source import LiveSource
from drift.kube.resources import Resources
from drift.policy.autoscaling import Autoscaler, read_autoscaler

#: After so many namespaces that were asked one by one, a list of all of them is tried, if it holds no more than so many
#: autoscalers: one page at first, and more where there are many to ask.
_AT_ONCE: Final = ((1, 500), (10, 5000))


class Autoscalers:
    """What is known of autoscalers, by namespace.

    Args:
        source: The live side.
        resources: The kinds that may be asked for.

    Attributes:
        notes: What could not be read, one sentence each.
    """

    def __init__(self, source: LiveSource, resources: Resources) -> None:
        self.notes: list[str] = []
        self._source = source
        self._resource = resources.preferred("autoscaling", "HorizontalPodAutoscaler")
        self._known: dict[str | None, tuple[Autoscaler, ...]] = {}
        self._everywhere: dict[str | None, tuple[Autoscaler, ...]] | None = None
        self._tries = list(_AT_ONCE)

    def in_namespace(self, namespace: str | None) -> tuple[Autoscaler, ...]:
        """Those of a namespace; () where there are none, or where that cannot be told."""
        is_new = namespace not in self._known
        if is_new and self._tries and len(self._known) >= self._tries[0][0]:
            self._everywhere = self._list_everywhere(at_most=self._tries.pop(0)[1])
        if self._everywhere is not None:
            return self._everywhere.get(namespace, ())
        if is_new:
            try:
                self._known[namespace] = tuple(found for _, found in self._list(namespace))
            except RequestError as error:
                self._known[namespace] = ()
                self.notes.append(f"whether an autoscaler sets replicas in {namespace} cannot be told: {error}")
        return self._known[namespace]

    def _list_everywhere(self, at_most: int) -> dict[str | None, tuple[Autoscaler, ...]] | None:
        """All of them by namespace; None where this account may not, or there are too many."""
        everywhere: dict[str | None, tuple[Autoscaler, ...]] = {}
        try:
            for namespace, autoscaler in self._list(None, at_most=at_most):
                everywhere[namespace] = (*everywhere.get(namespace, ()), autoscaler)
        except TooManyObjectsError:
            return None
        except RequestError:
            # The namespaces are asked one by one, and each says for itself what is wrong.
            self._tries.clear()
            return None
        return everywhere

    def _list(self, namespace: str | None, at_most: int | None = None) -> Iterator[tuple[str | None, Autoscaler]]:
        if self._resource is None:
            return
        for live in self._source.list(self._resource, namespace, at_most=at_most):
            autoscaler = read_autoscaler(live.body)
            if autoscaler is not None:
                yield live.namespace, autoscaler
