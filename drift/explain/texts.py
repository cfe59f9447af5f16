"""The texts of ``drift explain``: one for every status, change, cause, evidence, lifecycle, severity and exit status.

Settings are explained in the JSON Schema of ``drift.yaml``, and severity rules in the severity table.
"""

from collections.abc import Mapping
from typing import Final

from drift.history.episodes import EpisodeState
from drift.model import Cause, Change, Evidence, Lifecycle, Security, Severity, Status

STATUSES: Final[Mapping[Status, str]] = {
    Status.IN_SYNC: (
        "The object is in Git and in the cluster, and has no drift. Fields that only the cluster has and that no one "
        "set, such as defaults and allocated addresses, do not count. Neither do changes by controllers, nor what "
        "ignore rules cover."
    ),
    Status.DRIFTED: (
        "The object is in Git and in the cluster, and at least one of its fields differs. Each difference is a finding "
        "with its own cause; `drift explain manual` and the other causes say what to do."
    ),
    Status.MISSING: (
        "The object is in Git and not in the cluster: it was deleted, or never synced. Sync it, or remove it from Git. "
        "Kubernetes does not record who deletes an object, except in its audit log, which --audit-log reads. Hooks, "
        "and Jobs that are removed after they finish, do not count as missing."
    ),
    Status.UNMANAGED: (
        "The object is in the cluster and not in Git. Commit it to Git, delete it, or ignore it with a reason. Objects "
        "with an owner reference, and those that Kubernetes creates itself, are not listed. --unmanaged sets where "
        "drift looks for unmanaged objects."
    ),
    Status.UNCHECKED: (
        "drift could not compare the object, for the reason below it: for instance no permission to read it, an API "
        "that does not answer, or a version that the server does not serve. The scan is incomplete and ends with exit "
        "status 3, unless drift.yaml skips the kind."
    ),
}

CHANGES: Final[Mapping[Change, str]] = {
    Change.CHANGED: (
        "Git and the cluster both have the field, with different values. Two notations of the same value (1000m and 1, "
        "80 and '80') are not a difference."
    ),
    Change.REMOVED: "Git has the field and the cluster does not: it was removed in the cluster, or is not synced yet.",
    Change.ADDED: (
        "The cluster has the field and Git does not, and a person or a program set it. A sync does not remove a field "
        "that the GitOps controller never owned: remove it by hand, or commit it to Git. A map or list that was added "
        "as a whole is one finding."
    ),
    Change.REORDERED: (
        "A list with named items has the same items in another order. This matters only rarely: for init containers, "
        "which start one after the other, and for environment variables that refer to earlier ones."
    ),
    Change.MISSING: "The whole object is in Git and not in the cluster. The finding has no path.",
    Change.UNMANAGED: "The whole object is in the cluster and not in Git. The finding has no path.",
}

CAUSES: Final[Mapping[Cause, str]] = {
    Cause.MANUAL: (
        "The cluster changed, and Git did not. Either the field manager that owns the field is neither the GitOps "
        "applier nor a controller, or the value that was last synced is the one that Git still has. Sync to revert the "
        "change, or commit the live value to Git to keep it. If the manager is one of your controllers, add it to "
        "`controllers` in drift.yaml."
    ),
    Cause.PENDING_SYNC: (
        "Git is ahead: the GitOps applier owns the field and has not applied Git's value yet. Sync, or find out why it "
        "does not: it may be suspended, failing, or set to another branch or revision. If the field manager is not "
        "your applier, see --applier."
    ),
    Cause.CONTROLLER: (
        "A controller in the cluster owns the field, for instance an autoscaler within its range. This is information "
        "and not drift: it does not make the object drifted and does not change the exit status. If the controller "
        "should own the field, remove it from the manifest."
    ),
    Cause.UNKNOWN: (
        "Git and the cluster differ, and Kubernetes does not record which side changed: a removed field, a list in "
        "another order, or an object without managedFields has no owner to look up. Check `git log -p FILE` before you "
        "sync. --synced-revision, or a GitOps controller that records its revision, lets drift decide in most cases. "
        "Make dumps with --show-managed-fields."
    ),
}

EVIDENCES: Final[Mapping[Evidence, str]] = {
    Evidence.EXACT: (
        "The audit log has the request that made this difference: the bodies of the requests show it, or it is a "
        "deletion or a creation, which needs no body."
    ),
    Evidence.LIKELY: (
        "The audit log has no bodies, or not enough of them. But it reaches back to when the field was as in Git, and "
        "only this user wrote to the object under this field manager since then."
    ),
    Evidence.CANDIDATE: (
        "One of several users, or the log begins too late to be certain. Ask them, or let the API server log at level "
        "Request or RequestResponse."
    ),
}

SECURITIES: Final[Mapping[Security, str]] = {
    Security.LOOSENS: (
        "With the live state, more is allowed than with Git's: a process has more privileges, an account has more "
        "permissions, or more is reachable. Such a finding is at least high, unless a controller made the change."
    ),
    Security.TIGHTENS: (
        "With the live state, less is allowed than with Git's. A sync may take the protection away, or repair what it "
        "blocks."
    ),
}

LIFECYCLES: Final[Mapping[Lifecycle, str]] = {
    Lifecycle.NEW: "No earlier scan in --history had the finding.",
    Lifecycle.ONGOING: (
        "The previous scan had the finding too, or could not check its object. `firstSeen` is the time since when it "
        "has been open. The times of the field managers tell when the field was changed."
    ),
    Lifecycle.REOPENED: (
        "The finding was resolved and is back: the change is made again and again, or the fix does not last. "
        "`drift history --object NAME` shows each time."
    ),
}

STATES: Final[Mapping[EpisodeState, str]] = {
    EpisodeState.OPEN: "The last scan that could check the object still had the finding.",
    EpisodeState.RESOLVED: (
        "The finding is gone: a scan checked its object and did not have the finding, or a complete scan found the "
        "object neither in Git nor in the cluster. The end time is that of the scan, so the finding may have ended "
        "earlier."
    ),
    EpisodeState.REVERTED: (
        "`drift watch` saw a GitOps controller or a person change the object back. If a change is reverted again and "
        "again, a person or a controller works against Git."
    ),
    EpisodeState.IGNORED: (
        "The finding may still exist, but no longer counts: a rule ignores it, a controller owns the field now, "
        "drift.yaml skips the kind, or Git no longer uses the namespace or kind of an unmanaged object. It is not "
        "resolved, and the mean time to resolve does not include it."
    ),
}

SEVERITIES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "It can give control of the cluster or a node, run code that no one reviewed, or lose data.",
    Severity.HIGH: "It changes what runs, what it is allowed to do, or who can reach it.",
    Severity.MEDIUM: "It changes how something runs: its size, its placement, its configuration.",
    Severity.LOW: "It changes metadata or an order, and not what runs.",
    Severity.INFO: "A controller did it; it is listed for information only.",
}

HOW_SEVERITY_IS_DECIDED: Final = (
    "Severity depends on what differs, not on who changed it, except for changes by controllers. The rules of "
    "`severity` in drift.yaml are tried first, then the default table. The first rule that matches decides; if no rule "
    "matches, severity is {default}. A map or a list that was added or removed as a whole is as severe as its most "
    "severe part. Without a rule in drift.yaml, what loosens security is at least high, and what gives full control of "
    "a namespace, a node or the cluster is critical. A rule without `change` does not match a new order, and a rule "
    "without `cause` does not match what controllers do."
)

EXIT_STATUSES: Final[Mapping[int, str]] = {
    0: "In sync: everything was checked, and there is no drift. With --exit-zero, also if there is drift.",
    1: "There is drift. `exit.causes` and `exit.severity` in drift.yaml set which findings count; by default all "
    "except those of controllers.",
    2: (
        "A flag, drift.yaml, a manifest or a dump is invalid; the message says where. If only some manifests cannot be "
        "read, the report has all others."
    ),
    3: (
        "The scan is incomplete: drift could not read something, so it cannot tell whether all is in sync. The report "
        "has the drift that was found."
    ),
}
