"""Decides which Applications are applied to the cluster of the scan.

Argo CD looks up the name of a cluster in its cluster Secrets, which drift does not read: the same cluster can have any
name, and several addresses. So objects that carry the tracking metadata of an Application count, and the setting
``argocd.thisCluster``. Otherwise a name is undecided: to leave such an Application out would look like no drift.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, zip_longest
from typing import Final

from drift.errors import RequestError
from drift.gitops.argocd_tracking import USUAL_LABELS, argocd_tracking, label_keys
from drift.kube.live import LiveObject
from drift.objects import Object, ObjectKey, at, objects_at, text_at
from drift.redaction import without_passwords
from drift.sources.model import SourceContext

#: Argo CD's name for the cluster that it runs in, and the addresses that this cluster has inside.
_IN_CLUSTER: Final = "in-cluster"
_INTERNAL: Final = re.compile(r"https://kubernetes\.default(\.svc(\.[a-z0-9.-]+)?)?")
#: How many objects to look for: if hundreds of Applications are for another cluster, none is here.
_MAX_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class _Destination:
    """The cluster of an Application: its address or its name. Argo CD refuses both."""

    server: str
    name: str


class Destinations:
    """Tells where Applications are applied.

    Args:
        applications: All that are rendered.
        context: The cluster.
    """

    def __init__(self, applications: Sequence[LiveObject], context: SourceContext) -> None:
        self._context = context
        self._by_destination: defaultdict[_Destination, list[LiveObject]] = defaultdict(list)
        for live in applications:
            self._by_destination[_destination(live.body)].append(live)
        self._has_objects_here = cache(self._find_objects_here)
        self._label_keys = cache(self._read_label_keys)

    def is_here(self, live: LiveObject) -> bool | None:
        """Returns whether an Application is applied to the cluster of the scan; None if that is not known."""
        destination = _destination(live.body)
        server, given = destination.server, self._context.argocd_this_cluster
        info = self._context.cluster.info
        if _INTERNAL.fullmatch(server) or (info is not None and server == _address(info.server)):
            return True
        if not server and destination.name == _IN_CLUSTER:
            return True
        if given is not None:
            return (server or destination.name) in {_address(text) if "://" in text else text for text in given}
        if self._has_objects_here(destination):
            return True
        return None if destination.name and not server else False

    def _find_objects_here(self, destination: _Destination) -> bool:
        """Returns whether objects of this cluster carry the tracking metadata of Applications with a destination."""
        of_each = ([(live, key) for key in self._applied(live.body)] for live in self._by_destination[destination])
        # First one object of each Application.
        tries = (one for round_ in zip_longest(*of_each) for one in round_ if one is not None)
        return any(self._is_tracked_by(key, live) for live, key in islice(tries, _MAX_TRIES))

    def _applied(self, application: Object) -> Iterator[ObjectKey]:
        """Yields some objects that Argo CD has applied and that the account may be expected to read."""
        keys = map(resource_key, objects_at(application, "status", "resources"))
        return islice((key for key in keys if key.kind != "Secret" and not self._context.is_unchecked(key)), _MAX_TRIES)

    def _is_tracked_by(self, key: ObjectKey, application: LiveObject) -> bool:
        cluster = self._context.cluster
        resource = cluster.resources.preferred(key.group, key.kind)
        try:
            live = None if resource is None else cluster.get(resource, key.namespace, key.name)
        except RequestError:
            return False
        if live is None or argocd_tracking(live.body) is None:
            return False
        found = argocd_tracking(live.body, self._label_keys(controller_namespace(application)))
        return found is not None and found.application == _tracking_name(application)

    def _read_label_keys(self, namespace: str) -> Sequence[str]:
        """Returns the keys that the tracking label of the Argo CD in a namespace may have."""
        if self._context.is_unchecked(ObjectKey("", "ConfigMap", namespace, "argocd-cm")):
            return USUAL_LABELS
        cluster = self._context.cluster
        return label_keys(cluster, cluster.resources, [namespace]) or USUAL_LABELS


def destination_name(application: Object) -> str:
    """Returns the address or name of the cluster of an Application, for messages."""
    destination = _destination(application)
    return without_passwords(destination.server or destination.name) or "without a name"


def resource_key(item: Object) -> ObjectKey:
    """Returns the key of an entry of ``status.resources``."""
    return ObjectKey(
        text_at(item, "group"), text_at(item, "kind"), text_at(item, "namespace") or None, text_at(item, "name")
    )


def _destination(application: Object) -> _Destination:
    found = at(application, "spec", "destination")
    return _Destination(_address(text_at(found, "server")), text_at(found, "name"))


def _address(url: str) -> str:
    """Returns the URL of an API server in one form."""
    return url.lower().rstrip("/").removesuffix(":443")


def controller_namespace(live: LiveObject) -> str:
    """Returns the namespace of the Argo CD that applies an Application, which may be in another one."""
    return text_at(live.body, "status", "controllerNamespace") or live.namespace or ""


def _tracking_name(live: LiveObject) -> str:
    """Returns the name of an Application in tracking metadata."""
    return live.name if controller_namespace(live) == live.namespace else f"{live.namespace}_{live.name}"
