"""What the user may say about a scan."""

from collections.abc import Callable
from dataclasses import dataclass

from drift.config.settings import SkippedKind
from drift.gitops.revisions import Repository
from drift.model import WHOLE, Manifest, Shard, Unmanaged


@dataclass(frozen=True, slots=True)
class ScanStep:
    """How far a scan is.

    Attributes:
        what: What is being read, for instance ``deployments.apps``.
        done: Manifests that were compared so far.
        total: All of them; None while the live objects are looked for that no manifest describes.
    """

    what: str
    done: int
    total: int | None


def _look_away(step: ScanStep) -> None:
    del step


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may say about a scan.

    Attributes:
        namespace: Where objects live that name no namespace; None: as the live side has it.
        appliers: Field managers that sync Git, beside the well-known ones.
        controllers: Field managers that work for the cluster, beside the well-known ones; ``*`` as in a glob.
        infers_applier: Whether the manifests are a whole source, so that its applier can be inferred from all of them.
        inferred_applier: The applier that an earlier scan of the whole source inferred; None without one.
        unchecked: Kinds that are not asked for, on purpose.
        unmanaged: Where objects that Git does not have are looked for.
        synced: The manifests at the revision that was last synced; None where the user names none.
        synced_revision: That revision, as the user names it.
        repository: Reads the manifests at the commits that Flux or Argo CD records; None to do without.
        catch_up: Whether to compare with a newer commit that was synced, if the checkout is behind it.
        shard: The part of the work that is this scan's; what it knows of the other parts is the same in each.
        explain: Whether every decision is wanted, also those about objects that are plainly in sync.
        observe: Is told how far the scan is, some hundred times a second at most.
    """

    namespace: str | None = None
    appliers: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    infers_applier: bool = True
    inferred_applier: str | None = None
    unchecked: tuple[SkippedKind, ...] = ()
    unmanaged: Unmanaged = Unmanaged.NAMESPACE
    synced: tuple[Manifest, ...] | None = None
    synced_revision: str | None = None
    repository: Repository | None = None
    catch_up: bool = False
    shard: Shard = WHOLE
    explain: bool = False
    observe: Callable[[ScanStep], object] = _look_away

    def unchecked_kind(self, group: str, kind: str) -> SkippedKind | None:
        """What the user says about a kind that is not to be looked at; None for any other."""
        return next((unchecked for unchecked in self.unchecked if unchecked.covers(group, kind)), None)
