"""What the sources return: the manifests of each, what was last synced, and what could not be read.

One module per kind of source makes a `Rendered`; `drift.sources.resolve` chooses the module and combines the results.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from drift.kube.live import LiveSource
from drift.model import Manifest, SourceInfo


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may need to be rendered for one cluster.

    Attributes:
        cluster: The cluster or dump: its version and API versions, and the objects of its GitOps controllers.
        namespace: The namespace of objects that name none.
        checkouts: Local Git work trees, as ``PATH`` or ``URL=PATH``.
    """

    cluster: LiveSource
    namespace: str
    checkouts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result of one source.

    A source that could not be rendered has a `failure`. It makes the scan incomplete, because it is unknown which
    objects the source describes. Documents that could not be read are `errors`; the others are compared nevertheless.

    Attributes:
        info: The source.
        manifests: The desired objects.
        base: The manifests that were last synced from this source; None if unknown.
        notes: Remarks for the report, one sentence each.
        errors: Documents that could not be read, one line each, beginning with ``file:line:column`` if that is known.
        failure: Why the source could not be read or rendered, in one line; None if it was.
        skipped: Why the source is left out by design, in one line, for example because it is applied to another
            cluster; None if it is not.
    """

    info: SourceInfo
    manifests: tuple[Manifest, ...] = ()
    base: tuple[Manifest, ...] | None = None
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    failure: str | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired objects of all sources. The scan merges objects that several sources describe.

    Attributes:
        rendered: The result of each source, in the order of the user.
    """

    rendered: tuple[Rendered, ...]

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests of all sources; each names its source in `Manifest.origins`."""
        return tuple(manifest for source in self.rendered for manifest in source.manifests)

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read, so that an object without a manifest is known not to be in Git."""
        return not any(source.errors or source.failure for source in self.rendered)

    @property
    def lines(self) -> Iterator[str]:
        """Every failure and error, one line each."""
        for source in self.rendered:
            yield from source.errors
            if source.failure is not None:
                yield source.failure
