"""Scans open, update, end and reopen episodes, and end only those that they could check."""

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import UsageError
from drift.history.episodes import EpisodeState, ScanCoverage, Scope
from drift.history.store import History, read_history, scope_of
from drift.model import (
    Actor,
    Cause,
    Change,
    ClusterInfo,
    IgnoredBy,
    Lifecycle,
    Report,
    Severity,
    Shard,
    Status,
    Unmanaged,
)
from drift.objects import ObjectKey
from drift.sources.git import repository_path
from tests.drift.history.scans import SCOPE, WHOLE, at, episode, findings, lifecycles
from tests.drift.report.reports import HOSTILE, finding, item

DRIFTED = item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.x"))
OTHER = item("ConfigMap", "b", Status.DRIFTED, finding(2, path="data.y"))
IN_SYNC = item("ConfigMap", "a", Status.IN_SYNC)
UNMANAGED_POD = item("Pod", "debug", Status.UNMANAGED, finding(3, change=Change.UNMANAGED, **WHOLE))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(file: Path) -> History:
    return History(file, pytest.fail)


@pytest.fixture
def episodes(file: Path) -> Callable[[], list[tuple[str, str, str | None, EpisodeState]]]:
    """Returns path, first day, last day and state of every episode."""
    return lambda: [
        (it.path, it.first_seen[8:10], it.ended_at and it.ended_at[8:10], it.state)
        for it in read_history(file).episodes
    ]


Episodes = Callable[[], list[tuple[str, str, str | None, EpisodeState]]]


def test_a_finding_is_new_and_then_ongoing(history: History) -> None:
    first = history.record(at(1, DRIFTED), SCOPE)
    second = history.record(at(2, DRIFTED, OTHER), SCOPE)

    assert lifecycles(first) == {"data.x": Lifecycle.NEW}
    assert lifecycles(second) == {"data.x": Lifecycle.ONGOING, "data.y": Lifecycle.NEW}
    assert findings(second)["data.x"].first_seen == "2026-01-01T12:00:00Z"
    assert findings(second)["data.y"].first_seen == "2026-01-02T12:00:00Z"


def test_a_finding_is_resolved_once(history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    second = history.record(at(2, IN_SYNC), SCOPE)
    third = history.record(at(3, IN_SYNC), SCOPE)

    assert [(it.path, it.first_seen, it.resolved_at) for it in second.resolved] == [
        ("data.x", "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z")
    ]
    assert third.resolved == ()
    assert episodes() == [("data.x", "01", "02", EpisodeState.RESOLVED)]


def test_a_reopened_finding_gets_a_new_episode(history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    history.record(at(2, IN_SYNC), SCOPE)
    last = history.record(at(3, DRIFTED), SCOPE)

    assert lifecycles(last) == {"data.x": Lifecycle.REOPENED}
    assert findings(last)["data.x"].first_seen == "2026-01-03T12:00:00Z"
    assert lifecycles(history.record(at(4, DRIFTED), SCOPE)) == {"data.x": Lifecycle.ONGOING}
    assert episodes() == [("data.x", "01", "02", EpisodeState.RESOLVED), ("data.x", "03", None, EpisodeState.OPEN)]


def test_past_scans_end_with_the_current_one(history: History) -> None:
    history.record(at(1, DRIFTED, OTHER, errors=("pods: why",)), SCOPE)
    last = history.record(at(2, IN_SYNC, OTHER), SCOPE)

    assert [(past.at[8:10], past.open, past.new, past.resolved, past.complete) for past in last.past] == [
        ("01", 2, 2, 0, False),
        ("02", 1, 0, 1, True),
    ]


@pytest.mark.parametrize(
    "aside",
    [{"ignored": IgnoredBy("ignore[0]", "not ours")}, {"cause": Cause.CONTROLLER, "severity": Severity.INFO}],
    ids=["ignored", "controller"],
)
def test_a_finding_that_no_longer_counts_is_not_resolved(
    aside: dict[str, object], history: History, episodes: Episodes
) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    second = history.record(at(2, item("ConfigMap", "a", Status.IN_SYNC, finding(1, path="data.x", **aside))), SCOPE)

    assert episodes() == [("data.x", "01", "02", EpisodeState.IGNORED)]
    assert second.resolved == ()
    assert lifecycles(second) == {"data.x": None}


def test_a_finding_that_does_not_count_has_no_episode(history: History, episodes: Episodes) -> None:
    history.record(at(1, item("ConfigMap", "a", Status.IN_SYNC, finding(1, cause=Cause.CONTROLLER))), SCOPE)

    assert episodes() == []


@pytest.mark.parametrize(
    ("scan", "state"),
    [
        (at(2, item("ConfigMap", "a", Status.UNCHECKED, reason="may not be read")), EpisodeState.OPEN),
        (at(2, item("ConfigMap", "a", Status.UNCHECKED, reason="why", is_skipped=True)), EpisodeState.IGNORED),
        (at(2, IN_SYNC, errors=("pods: may not be read",)), EpisodeState.RESOLVED),
        (at(2, errors=("configmaps: may not be read",)), EpisodeState.OPEN),
        (at(2, item("Role", "r", Status.UNCHECKED, reason="why")), EpisodeState.OPEN),
        (at(2), EpisodeState.RESOLVED),
        (
            at(2, item("ConfigMap", "a", Status.MISSING, finding(9, change=Change.MISSING, **WHOLE))),
            EpisodeState.RESOLVED,
        ),
    ],
    ids=[
        "the object could not be read",
        "the user leaves the kind out",
        "the object was read, and something else was not",
        "the object is in neither, or was not looked for",
        "the object is in neither, or another was not read",
        "the object is in neither",
        "the object is deleted",
    ],
)
def test_an_episode_ends_only_if_the_scan_can_tell(
    scan: Report, state: EpisodeState, history: History, episodes: Episodes
) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    history.record(scan, SCOPE)

    assert [it[3] for it in episodes() if it[0] == "data.x"] == [state]


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (Unmanaged.CLUSTER, Unmanaged.NAMESPACE, EpisodeState.OPEN),
        (Unmanaged.CLUSTER, Unmanaged.CLUSTER, EpisodeState.RESOLVED),
        (Unmanaged.NAMESPACE, Unmanaged.OFF, EpisodeState.OPEN),
        (Unmanaged.NAMESPACE, Unmanaged.CLUSTER, EpisodeState.RESOLVED),
    ],
)
def test_an_unmanaged_object_is_resolved_only_by_a_scan_that_searched_for_it(
    first: Unmanaged, second: Unmanaged, state: EpisodeState, history: History, episodes: Episodes
) -> None:
    history.record(at(1, UNMANAGED_POD), SCOPE, ScanCoverage(first))
    history.record(at(2), SCOPE, ScanCoverage(second))

    assert [it[3] for it in episodes()] == [state]


def test_a_narrower_search_that_found_an_object_can_resolve_it(history: History, episodes: Episodes) -> None:
    history.record(at(1, IN_SYNC, UNMANAGED_POD), SCOPE, ScanCoverage(Unmanaged.CLUSTER))
    history.record(at(2, IN_SYNC, UNMANAGED_POD), SCOPE, ScanCoverage(Unmanaged.NAMESPACE))
    history.record(at(3, IN_SYNC), SCOPE, ScanCoverage(Unmanaged.NAMESPACE))

    assert [it[3] for it in episodes()] == [EpisodeState.RESOLVED]


@pytest.mark.parametrize(
    ("cause", "search", "state"),
    [
        (Cause.MANUAL, Unmanaged.NAMESPACE, EpisodeState.IGNORED),
        (Cause.MANUAL, Unmanaged.CLUSTER, EpisodeState.RESOLVED),
        # What Git has dropped is searched by its name.
        (Cause.PENDING_SYNC, Unmanaged.NAMESPACE, EpisodeState.RESOLVED),
    ],
)
def test_an_unmanaged_object_is_not_resolved_because_git_no_longer_uses_its_namespace(
    cause: Cause, search: Unmanaged, state: EpisodeState, history: History, episodes: Episodes
) -> None:
    pod = item("Pod", "debug", Status.UNMANAGED, finding(3, change=Change.UNMANAGED, cause=cause, **WHOLE))
    elsewhere = item("ConfigMap", "a", Status.IN_SYNC, key=ObjectKey("", "ConfigMap", "other", "a"))
    history.record(at(1, IN_SYNC, pod), SCOPE, ScanCoverage(search))
    recorded = history.record(at(2, elsewhere), SCOPE, ScanCoverage(search))

    assert [it[3] for it in episodes()] == [state]
    assert len(recorded.resolved) == (state is EpisodeState.RESOLVED)


@pytest.mark.parametrize(
    ("kinds", "shard", "state"),
    [
        ([("", "Service")], None, EpisodeState.IGNORED),
        ([("", "Pod")], None, EpisodeState.RESOLVED),
        # Another shard may have a manifest of the kind.
        ([("", "Service")], Shard(1, 2), EpisodeState.RESOLVED),
    ],
)
def test_an_unmanaged_object_is_not_resolved_because_git_no_longer_uses_its_kind(
    kinds: list[tuple[str, str]], shard: Shard | None, state: EpisodeState, history: History, episodes: Episodes
) -> None:
    in_git = item("Pod", "web", Status.IN_SYNC)
    history.record(at(1, IN_SYNC, in_git, UNMANAGED_POD, shard=shard), SCOPE, ScanCoverage(kinds=kinds))
    history.record(at(2, IN_SYNC, shard=shard), SCOPE, ScanCoverage(kinds=kinds))

    assert [it[3] for it in episodes()] == [state]


def test_an_unmanaged_object_is_resolved_while_git_uses_its_kind(history: History, episodes: Episodes) -> None:
    in_git = item("Pod", "web", Status.IN_SYNC)
    history.record(at(1, in_git, UNMANAGED_POD), SCOPE, ScanCoverage(kinds=()))
    history.record(at(2, in_git), SCOPE, ScanCoverage(kinds=()))

    assert [it[3] for it in episodes()] == [EpisodeState.RESOLVED]


def test_the_end_is_unknown_if_a_scan_is_incomplete_and_git_no_longer_uses_the_namespace(
    history: History, episodes: Episodes
) -> None:
    history.record(at(1, IN_SYNC, UNMANAGED_POD), SCOPE)
    history.record(at(2, errors=("not searched",)), SCOPE)

    assert [it[3] for it in episodes()] == [EpisodeState.OPEN]


def test_a_partial_scan_does_not_resolve_other_parts(history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED, UNMANAGED_POD), SCOPE)
    history.record(at(2), SCOPE, ScanCoverage(covers=lambda key: key.kind == "ConfigMap"))

    assert {it[0]: it[3] for it in episodes()} == {"data.x": EpisodeState.RESOLVED, "": EpisodeState.OPEN}


def test_an_excluded_kind_is_ignored_not_resolved(history: History, episodes: Episodes) -> None:
    history.record(at(1, UNMANAGED_POD), SCOPE)
    history.record(at(2), SCOPE, ScanCoverage(left_out=lambda key: key.kind == "Pod"))

    assert [it[3] for it in episodes()] == [EpisodeState.IGNORED]


@pytest.mark.parametrize("other", [replace(SCOPE, name="else"), replace(SCOPE, cluster="https://else.example.com")])
def test_scopes_are_independent(other: Scope, history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    elsewhere = history.record(at(2, IN_SYNC, OTHER), other)
    history.record(at(3, IN_SYNC), other)

    assert lifecycles(elsewhere) == {"data.y": Lifecycle.NEW}
    assert elsewhere.resolved == ()
    assert len(elsewhere.past) == 1
    assert ("data.x", "01", None, EpisodeState.OPEN) in episodes()


def test_a_scan_older_than_the_last_one_changes_nothing(history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    history.record(at(3, IN_SYNC, OTHER), SCOPE)
    before = episodes()

    late = history.record(at(2, DRIFTED), SCOPE)

    assert episodes() == before
    assert late.resolved == ()
    assert [past.at[8:10] for past in late.past] == ["01", "03"]


def test_a_scan_in_the_future_does_not_block_the_history(history: History, episodes: Episodes) -> None:
    history.record(replace(at(1, DRIFTED), generated_at="2126-01-01T00:00:00Z"), SCOPE)
    history.record(at(2, IN_SYNC), SCOPE)

    assert [it[3] for it in episodes()] == [EpisodeState.RESOLVED]
    assert all(it.ended_at is not None and it.first_seen <= it.ended_at for it in read_history(history.file).episodes)


def test_an_episode_has_the_latest_severity_the_first_cause_and_all_actors(history: History, file: Path) -> None:
    actor = Actor("kubectl-scale", "Update", "scale", None)
    worse = finding(1, path="data.x", severity=Severity.HIGH, cause=Cause.UNKNOWN, actors=(actor,))
    history.record(at(1, DRIFTED), SCOPE)
    history.record(at(2, item("ConfigMap", "a", Status.DRIFTED, worse)), SCOPE)

    (only,) = read_history(file).episodes
    assert (only.severity, only.cause) == (Severity.HIGH, Cause.MANUAL)
    assert only.actors[-1:] == (actor,)
    assert len(only.actors) == 2
    assert (only.first_seen, only.last_seen) == ("2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z")


def test_an_exact_time_is_kept(history: History) -> None:
    known = item("ConfigMap", "a", Status.DRIFTED, finding(1, first_seen="2026-01-01T11:59:58.250Z"))

    assert findings(history.record(at(1, known), SCOPE))["spec.replicas"].first_seen == "2026-01-01T11:59:58.250Z"


def test_an_update_does_not_count_as_a_scan(history: History, episodes: Episodes) -> None:
    updated = history.record(at(1, DRIFTED), SCOPE, count_as_scan=False)

    assert updated.past == ()
    assert lifecycles(updated) == {"data.x": Lifecycle.NEW}
    assert episodes() == [("data.x", "01", None, EpisodeState.OPEN)]


def test_an_episode_between_two_scans_can_be_recorded(history: History, file: Path) -> None:
    reverted = episode(
        1,
        first_seen="2026-01-01T10:00:00.100Z",
        last_seen="2026-01-01T10:00:01.900Z",
        ended_at="2026-01-01T10:00:02.050Z",
        state=EpisodeState.REVERTED,
    )

    history.update_episodes([reverted])

    assert read_history(file).episodes == (reverted,)
    assert lifecycles(history.record(at(2, DRIFTED), SCOPE)) == {"data.x": Lifecycle.REOPENED}


def test_old_ended_episodes_are_deleted_and_open_ones_are_kept(history: History, file: Path) -> None:
    def in_year(year: int, *found: object) -> Report:
        return replace(at(1, *found), generated_at=f"{year}-01-01T12:00:00Z")  # type: ignore[arg-type]

    history.record(in_year(2020, DRIFTED, OTHER), SCOPE)
    history.record(in_year(2021, IN_SYNC, OTHER), SCOPE)
    assert len(read_history(file).episodes) == 2

    history.record(in_year(2023, IN_SYNC, OTHER), SCOPE)
    # The clock of one scan may be wrong.
    assert len(read_history(file).episodes) == 2

    last = history.record(replace(at(2, IN_SYNC, OTHER), generated_at="2023-01-02T12:00:00Z"), SCOPE)

    assert [it.path for it in read_history(file).episodes] == ["data.y"]
    assert [past.at[:4] for past in last.past] == ["2023", "2023"]


def test_a_scan_with_its_clock_ahead_deletes_nothing(history: History, file: Path) -> None:
    history.record(at(1, DRIFTED, OTHER), SCOPE)
    history.record(at(2, IN_SYNC, OTHER), SCOPE)

    ahead = replace(at(3, IN_SYNC, OTHER), generated_at="2038-01-03T12:00:00Z")
    history.record(ahead, replace(SCOPE, name="another"))
    last = history.record(at(4, IN_SYNC, OTHER), SCOPE)

    assert sorted(one.path for one in read_history(file).episodes if one.scope == SCOPE) == ["data.x", "data.y"]
    assert [past.at[:10] for past in last.past] == ["2026-01-01", "2026-01-02", "2026-01-04"]


def test_the_file_contains_no_value(history: History, file: Path) -> None:
    planted = "cGxhbnRlZC12YWx1ZQ"
    kept = finding(1, path="data.x", desired=planted, live=[planted], note=planted)
    history.record(at(1, item("ConfigMap", "a", Status.DRIFTED, kept, reason=planted), notes=(planted,)), SCOPE)

    assert planted.encode() not in b"".join(part.read_bytes() for part in file.parent.iterdir())


def test_hostile_names_are_stored_unchanged(history: History, file: Path) -> None:
    objects = [
        replace(it, findings=tuple(replace(found, first_seen=None) for found in it.findings[:1]))
        for it in HOSTILE.objects
        if it.status is Status.DRIFTED
    ]
    history.record(replace(HOSTILE, objects=tuple(objects)), SCOPE)

    assert {(it.key, it.path) for it in read_history(file).episodes} == {
        (it.key, it.findings[0].path) for it in objects
    }


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(), max_size=20))
def test_any_text_can_be_recorded(text: str) -> None:
    evil = item(text, text, Status.DRIFTED, finding(1, path=text, actors=(Actor(text, text, text, text),)))
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder, "h.db"), pytest.fail)
        history.record(at(1, evil), Scope(text, text))
        assert lifecycles(history.record(at(2, evil), Scope(text, text))) == {text: Lifecycle.ONGOING}
        assert json.dumps([it.path for it in read_history(history.file).episodes])


PROD = ClusterInfo("prod", "https://prod.example.com", "v1.36.3")


def clone(folder: Path, origin: str | None) -> Path:
    (folder / "apps").mkdir(parents=True)
    commands = [["init", "--quiet"], *([["remote", "add", "origin", origin]] if origin is not None else [])]
    for command in commands:
        git = ["git", "-C", str(folder), *command]
        subprocess.run(git, check=True)
    return folder / "apps"


def name(path: Path | str, namespace: str = "shop") -> str:
    return scope_of(PROD, [str(path)], namespace, None).name


def test_clusters_have_different_scopes() -> None:
    assert scope_of(PROD, ["a"], "n", None) != scope_of(None, ["a"], "n", None)


def test_default_namespaces_and_paths_have_different_scopes(tmp_path: Path) -> None:
    assert len({name(tmp_path, "a"), name(tmp_path, "b"), name(tmp_path / "x", "a")}) == 3


def test_a_relative_path_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("dev", "prod"):
        (tmp_path / place).mkdir()
    monkeypatch.chdir(tmp_path / "dev")
    dev = name(".")
    monkeypatch.chdir(tmp_path / "prod")

    assert name(".") != dev
    assert name(".") == name(tmp_path / "prod") == name("../prod/")


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com/shop/gitops.git",
        "https://user:t0ken@example.com/shop/gitops",
        "git@example.com:shop/gitops.git",
        "ssh://git@example.com:2222/shop/gitops/",
    ],
)
def test_a_clone_is_identified_by_its_repository(origin: str, tmp_path: Path) -> None:
    assert name(clone(tmp_path / "build-17", origin)) == "shop/gitops:apps (namespace shop)"


def test_the_scope_does_not_contain_a_password_from_the_url(tmp_path: Path) -> None:
    for number, url in enumerate(
        [
            "https://user:t0ken@example.com/gitops",
            "https://t0ken@example.com/gitops",
            "https://user:t0ken/x@example.com/shop/gitops",
            "https://user:t0ken/x@example.com:8443/a/shop/gitops.git",
            "user:t0ken@example.com:shop/gitops",
            "https://example.com/shop/gitops?private_token=t0ken",
            "https://example.com/shop/gitops#t0ken",
        ]
    ):
        scope = scope_of(PROD, [str(clone(tmp_path / str(number), url))], "shop", None)
        assert "t0ken" not in scope.name, url


@pytest.mark.parametrize(
    ("origin", "path"),
    [
        ("https://gitlab.example.com/team-1/deploy/k8s.git", "team-1/deploy/k8s"),
        ("https://user:pass@gitlab.example.com:8443/team-1/deploy/k8s/", "team-1/deploy/k8s"),
        ("git@gitlab.example.com:team-1/deploy/k8s.git", "team-1/deploy/k8s"),
        ("ssh://git@gitlab.example.com:22/team-1/deploy/k8s", "team-1/deploy/k8s"),
        ("https://dev.azure.com/org/project/_git/k8s", "org/project/_git/k8s"),
        ("git@example.com:k8s.git", "k8s"),
        ("https://example.com/k8s", "k8s"),
        ("/srv/git/deploy/k8s.git", "srv/git/deploy/k8s"),
        ("file:///srv/git/deploy/k8s.git", "srv/git/deploy/k8s"),
        ("https://github.com/shop/gitops.git/", "shop/gitops"),
        ("", None),
    ],
)
def test_a_repository_is_named_by_its_whole_path(origin: str, path: str | None) -> None:
    assert repository_path(origin) == path


def test_repositories_of_the_same_name_in_two_groups_have_different_scopes(tmp_path: Path) -> None:
    ones = [
        clone(tmp_path / team, f"https://gitlab.example.com/{team}/deploy/k8s.git") for team in ("team-1", "team-2")
    ]

    assert [name(one) for one in ones] == [
        "team-1/deploy/k8s:apps (namespace shop)",
        "team-2/deploy/k8s:apps (namespace shop)",
    ]


def test_a_work_tree_without_a_remote_is_identified_by_its_absolute_path(tmp_path: Path) -> None:
    apps = clone(tmp_path / "here", None)

    assert name(apps) == f"{apps} (namespace shop)"
    assert name(clone(tmp_path / "there", None)) != name(apps)


@pytest.mark.parametrize("suffix", ["", ", shard 1/2"])
@pytest.mark.parametrize(
    ("origin", "former"), [("https://gitlab.example.com/team-1/deploy/k8s.git", "deploy/k8s:apps"), (None, "apps")]
)
def test_a_scope_of_an_older_release_is_renamed(
    origin: str | None, former: str, suffix: str, history: History, tmp_path: Path
) -> None:
    scope = scope_of(PROD, [str(clone(tmp_path / "clone", origin))], "shop", None)
    scope = replace(scope, name=scope.name + suffix)
    history.record(at(1, DRIFTED), Scope(PROD.server, f"{former} (namespace shop){suffix}"))
    other = Scope(PROD.server, "other (namespace shop)")
    history.record(at(1, DRIFTED), other)

    assert lifecycles(history.record(at(2, DRIFTED), scope)) == {"data.x": Lifecycle.ONGOING}
    # A repository that shared the name begins its own history.
    again = Scope(PROD.server, f"{former} (namespace shop){suffix}")
    assert lifecycles(history.record(at(3, OTHER), again)) == {"data.y": Lifecycle.NEW}
    assert lifecycles(history.record(at(4, DRIFTED), scope)) == {"data.x": Lifecycle.ONGOING}
    assert lifecycles(history.record(at(4, OTHER), again)) == {"data.y": Lifecycle.ONGOING}


def test_a_scope_whose_name_is_as_before_is_not_renamed(tmp_path: Path) -> None:
    for origin in ("https://github.com/shop/gitops.git", "git@github.com:shop/gitops"):
        path = clone(tmp_path / origin[:4], origin)
        assert scope_of(PROD, [str(path), "--flux all"], "shop", None).former_name is None
    assert scope_of(PROD, [str(tmp_path)], "shop", None).former_name is None
    assert scope_of(PROD, ["a"], "shop", "named").former_name is None


def test_manifests_from_standard_input_need_a_scope_name() -> None:
    with pytest.raises(UsageError, match="add --history-scope NAME"):
        scope_of(PROD, ["-"], "n", None)

    assert scope_of(PROD, ["-"], "n", "prod").name == "prod"
