"""The explanations of what a report says: one for every status, change, cause, severity and exit status.

The settings explain themselves in the JSON Schema of ``drift.yaml``, and who gets which severity in its table.
"""

from collections.abc import Mapping
from typing import Final

from drift.history.episodes import EpisodeState
from drift.model import Cause, Change, Lifecycle, Severity, Status

STATUSES: Final[Mapping[Status, str]] = {
    Status.IN_SYNC: (
        "The object is in the cluster and nothing of it is drift. What only the cluster has and nobody set, such as "
        "defaults and allocated addresses, is not counted; neither is a controller's work, nor what a rule ignores."
    ),
    Status.DRIFTED: (
        "The object is in Git and in the cluster, and at least one of its fields is not as Git has it. Each "
        "difference is a finding with its own cause; `drift explain manual` and the other causes say what to do."
    ),
    Status.MISSING: (
        "The object is in Git and not in the cluster: it was deleted, or never synced. Sync it, or take it out of Git. "
        "The cluster keeps no record of who deletes an object; its audit log does, where there is one. A hook, and a "
        "Job that is removed after its end, are not missing."
    ),
    Status.UNMANAGED: (
        "The object is in the cluster and not in Git. Put it into Git, delete it, or ignore it with a reason. Objects "
        "that another object owns, and those that Kubernetes makes by itself, are not listed. Where such objects are "
        "looked for is what --unmanaged says."
    ),
    Status.UNCHECKED: (
        "Nothing can be said of the object, for the reason that stands below it: it may not be read, its API does not "
        "answer, or its version is not served. The scan is incomplete and ends with exit status 3, unless drift.yaml "
        "leaves the kind out on purpose."
    ),
}

CHANGES: Final[Mapping[Change, str]] = {
    Change.CHANGED: (
        "Git and the cluster both have the field, with different values. Two ways to write one value (1000m and 1, "
        "80 and '80') are no difference."
    ),
    Change.REMOVED: "Git has the field and the cluster does not: somebody took it away, or it was not synced yet.",
    Change.ADDED: (
        "The cluster has the field and Git does not, and somebody set it. No sync takes it away where the syncer never "
        "owned it: remove it by hand, or put it into Git. What was added as a whole is one finding, at its top."
    ),
    Change.REORDERED: (
        "A list whose items are known by a key holds the same items in another order. It matters seldom: for "
        "containers that start one after the other, and for variables that refer to earlier ones."
    ),
    Change.MISSING: "The object as a whole is in Git and not in the cluster. Such a finding has no path.",
    Change.UNMANAGED: "The object as a whole is in the cluster and not in Git. Such a finding has no path.",
}

CAUSES: Final[Mapping[Cause, str]] = {
    Cause.MANUAL: (
        "The cluster moved: a field manager that neither syncs Git nor works for the cluster owns the field now, or "
        "what was last synced had the value that Git still has. Sync to revert the change, or put the live value into "
        "Git to keep it. If the manager is a controller of yours, list it under `controllers` in drift.yaml."
    ),
    Cause.PENDING_SYNC: (
        "Git is ahead: the syncer owns the field and has not brought Git's value yet. Sync, or find out why the syncer "
        "does not: it may be suspended, failing, or following another branch or revision. If the manager is not a "
        "syncer at all, look at --applier."
    ),
    Cause.CONTROLLER: (
        "A controller of the cluster owns the field, an autoscaler within its range for instance. That is information "
        "and no drift: it makes no object drifted and never sets the exit status. If Git should leave the field to the "
        "controller, take it out of the manifest."
    ),
    Cause.UNKNOWN: (
        "The sides differ and the cluster's record does not tell which of them moved: a field that was taken away, a "
        "list in another order, or an object without managedFields leave no owner. Compare with the last change in Git "
        "before syncing. --synced-revision, or a syncer that records its revision, makes most of these certain; make "
        "dumps with --show-managed-fields."
    ),
}

LIFECYCLES: Final[Mapping[Lifecycle, str]] = {
    Lifecycle.NEW: "No earlier scan that --history remembers had the finding.",
    Lifecycle.ONGOING: (
        "The scan before had the finding already, or could not look. `firstSeen` says since when it has been open; who "
        "changed the field when is what its field managers say."
    ),
    Lifecycle.REOPENED: (
        "The finding was over and is back: somebody makes the change again and again, or the fix does not last. "
        "`drift history --object NAME` shows each time."
    ),
}

STATES: Final[Mapping[EpisodeState, str]] = {
    EpisodeState.OPEN: "The finding is there still, as far as the last scan that could look tells.",
    EpisodeState.RESOLVED: (
        "The finding is gone: a scan looked at its object and did not have it, or a complete scan found the object "
        "neither in Git nor in the cluster. It was open until then, at the latest; between two scans nobody looks."
    ),
    EpisodeState.REVERTED: (
        "A watch saw the change, and a syncer put it right a moment later. A change that is reverted again and again "
        "shows somebody, or a controller, that works against Git."
    ),
    EpisodeState.IGNORED: (
        "The finding is there and does not count any more: a rule ignores it, it is a controller's work now, or its "
        "kind is left out on purpose. It is not resolved, and is left out of the mean time to resolve."
    ),
}

SEVERITIES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "It may hand over the cluster or a node, runs code that nobody reviewed, or loses data.",
    Severity.HIGH: "It changes what runs, what it may do, or who may reach it.",
    Severity.MEDIUM: "It changes how something runs: its size, its place, its configuration.",
    Severity.LOW: "It changes a mark or an order; what runs stays as it is.",
    Severity.INFO: "It is a controller's own work, shown so that nobody has to wonder.",
}

HOW_SEVERITY_IS_DECIDED: Final = (
    "Severity depends on what differs, and never on who did it, but for a controller. The rules of `severity` in "
    "drift.yaml are tried first, then the shipped table; the first rule that matches decides, and {default} is for "
    "what none matches. What was added or removed as a whole is as severe as its worst part. A rule that names no "
    "change is not about a new order, and one that names no cause not about a controller's work."
)

EXIT_STATUSES: Final[Mapping[int, str]] = {
    0: "In sync: everything was looked at, and nothing is drift. With --exit-zero, also where drift was found.",
    1: "Drift was found. `exit.causes` in drift.yaml says which causes count; all but controller do.",
    2: "Nothing was compared: a flag, drift.yaml, a manifest or a dump is not as it should be. The message says where.",
    3: (
        "The scan is incomplete: something could not be read, so it cannot be said that all is in sync. Drift that was "
        "found is in the report all the same."
    ),
}
