"""The timeline: one line for each episode by scope, statistics below, and no control characters."""

import json
from dataclasses import replace

import pytest

from drift.history.episodes import EpisodeState, Scope
from drift.history.queries import By, Gap, ScopeGaps
from drift.model import Actor, Evidence, Severity
from drift.objects import ObjectKey
from drift.report.history_table import Timeline, timeline_json, timeline_text
from tests.drift.history.scans import SCOPE, episode
from tests.drift.report.reports import HOSTILE_TEXTS

TIMELINE = Timeline(
    episodes=(
        episode(1, ended_at="2026-01-03T12:00:00Z", state=EpisodeState.RESOLVED),
        episode(2, path="", key=ObjectKey("", "Namespace", None, "web"), actors=(), reopened=True),
        episode(3, ended_at="2026-01-01T12:00:01.500Z", state=EpisodeState.REVERTED, scope=replace(SCOPE, name="else")),
    ),
    scans=7,
    last_scan="2026-01-10T11:00:00Z",
    now="2026-01-10T12:00:00Z",
)
TEXT = """\
apps at https://prod.example.com
medium    Namespace web  (changed)
          open again for 9 d, since 2026-01-01T12:00:00Z; manual
medium    ConfigMap shop/a  data.x
          resolved after 2 d, at 2026-01-03T12:00:00Z; manual: kubectl-edit

else at https://prod.example.com
medium    ConfigMap shop/a  data.x
          reverted after 1.5 s, at 2026-01-01T12:00:01Z; manual: kubectl-edit

mean time to resolve: 2 d (1)
  by cause: manual 2 d (1)
  by severity: medium 2 d (1)
mean time until a change was reverted: 1.5 s (1)
1 open, 1 resolved, 1 reverted
7 scans, the last at 2026-01-10T11:00:00Z
"""
PEOPLE = """\
worst   open  ended  mean time  latest      user
medium  1     1      2 d        2026-01-01  jane@example.com: ConfigMap shop/a, Namespace web
medium  1     0      -          2026-01-01  sam@example.com: Namespace web
medium  1     0      -          2026-01-02  (no user known): ConfigMap shop/a
"""


def test_the_text() -> None:
    assert timeline_text(TIMELINE, color=False, width=None) == TEXT


def test_the_worst_and_oldest_open_findings_come_first_and_the_latest_ended_ones_last() -> None:
    ended = {"state": EpisodeState.RESOLVED, "severity": Severity.CRITICAL}
    episodes = (
        episode(1, path="ended-1", ended_at="2026-01-03T12:00:00Z", **ended),
        episode(2, path="ended-2", ended_at="2026-01-04T12:00:00Z", **ended),
        episode(3, path="low", severity=Severity.LOW),
        episode(4, path="younger", severity=Severity.HIGH, first_seen="2026-01-02T12:00:00Z"),
        episode(5, path="older", severity=Severity.HIGH),
    )

    text = timeline_text(replace(TIMELINE, episodes=episodes), color=False, width=None)

    lines = [line.split() for line in text.splitlines()]
    assert [words[3] for words in lines if words[1:2] == ["ConfigMap"]] == [
        "older",
        "younger",
        "low",
        "ended-2",
        "ended-1",
    ]


def test_the_latest_of_a_second_comes_first() -> None:
    # Scans have whole seconds, and two may be in the same one. A watch has milliseconds.
    seconds = {"early": "00Z", "same": "01Z", "late": "01.500Z"}
    episodes = tuple(
        episode(
            number,
            path=f"{ended}-{seen}",
            first_seen=f"2026-01-03T11:59:{30 - number}Z",
            last_seen=f"2026-01-03T12:00:{seconds[seen]}",
            ended_at=f"2026-01-03T12:00:{seconds[ended]}",
            state=EpisodeState.RESOLVED,
        )
        for number, (ended, seen) in enumerate(
            [("early", "early"), ("late", "late"), ("same", "early"), ("same", "same"), ("late", "same")]
        )
    )

    text = timeline_text(replace(TIMELINE, episodes=episodes), color=False, width=None)

    found = [line.split()[3] for line in text.splitlines() if line.split()[1:2] == ["ConfigMap"]]
    assert found == ["late-late", "late-same", "same-same", "same-early", "early-early"]


def test_people_are_listed_with_their_findings() -> None:
    by = Actor("kubectl-set", "Update", None, "2026-01-01T12:00:00Z")
    jane = replace(by, user="jane@example.com", evidence=Evidence.EXACT)
    sam = replace(by, user="sam@example.com", evidence=Evidence.LIKELY)
    maybe = replace(by, user="kim@example.com", evidence=Evidence.CANDIDATE)
    timeline = replace(
        TIMELINE,
        episodes=(
            episode(1, actors=(jane,), ended_at="2026-01-03T12:00:00Z", state=EpisodeState.RESOLVED),
            episode(2, actors=(jane, sam), key=ObjectKey("", "Namespace", None, "web")),
            episode(3, actors=(maybe,), first_seen="2026-01-02T12:00:00Z"),
        ),
    )

    assert timeline_text(timeline, By.PERSON, color=False, width=None) == PEOPLE
    assert "jane@example.com" in timeline_text(timeline, By.PERSON, color=True, width=160)
    assert [one["user"] for one in json.loads(timeline_json(timeline))["people"]] == [jane.user, sam.user]
    assert "kubectl-set by jane@example.com" in timeline_text(timeline, color=False, width=None)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        (By.OBJECT, ["Namespace web", "ConfigMap shop/a"]),
        (By.KIND, ["Namespace: web", "ConfigMap: shop/a"]),
        (By.MANAGER, ["kubectl-edit: ConfigMap shop/a", "(not recorded): Namespace web"]),
    ],
)
def test_groups_are_listed_the_worst_first_and_those_without_a_name_last(by: By, names: list[str]) -> None:
    text = timeline_text(TIMELINE, by, color=False, width=None)

    assert [line[line.index("-01  ") + 5 :] for line in text.splitlines()[1:]] == names
    groups = json.loads(timeline_json(TIMELINE, by))["groups"]
    assert [(group["open"], group["ended"]["count"]) for group in groups] == (
        [(0, 2), (1, 0)] if by is By.MANAGER else [(1, 0), (0, 2)]
    )


GAPS = ScopeGaps(
    SCOPE,
    7,
    (
        *(
            Gap(ObjectKey("", "Role", "shop", f"r{number}"), "may not be read", "2026-01-01T12:00:00Z", 7)
            for number in range(5)
        ),
        Gap(ObjectKey("", "Namespace", None, "web"), "the API does not answer", "2026-01-09T12:00:00Z", 2),
        Gap(None, "did not search for unmanaged pods in shop: this account may not list them", "2026-01-10T12:00:00Z"),
    ),
)


def test_what_was_not_checked_is_listed_with_the_number_of_scans() -> None:
    timeline = replace(TIMELINE, episodes=(), gaps=(GAPS,))

    assert timeline_text(timeline, color=False, width=None).splitlines()[:5] == [
        "not checked: apps at https://prod.example.com",
        "  Role shop/r0, r1, r2 and 2 more: may not be read (in all 7 scans, since 2026-01-01T12:00:00Z)",
        "  Namespace web: the API does not answer (in the last 2 scans, since 2026-01-09T12:00:00Z)",
        f"  {GAPS.gaps[-1].reason} (in the last scan, since 2026-01-10T12:00:00Z)",
        "",
    ]
    document = json.loads(timeline_json(timeline))["notChecked"]
    assert [(one["kind"], one["name"], one["notCheckedIn"], one["scans"]) for one in document[4:]] == [
        ("Role", "r4", 7, 7),
        ("Namespace", "web", 2, 7),
        (None, None, 1, 7),
    ]


def test_an_empty_history_says_so() -> None:
    assert timeline_text(Timeline((), 0, None, TIMELINE.now), color=False, width=None) == "0 open\n0 scans\n"


@pytest.mark.parametrize("by", [None, *By])
def test_it_fits_a_terminal_of_80_columns_and_cuts_nothing(by: By | None) -> None:
    key = ObjectKey("", "ConfigMap", "shop", "x" * 200)
    gaps = replace(GAPS, gaps=(Gap(key, "y" * 200, "2026-01-01T12:00:00Z"),))
    long = replace(TIMELINE, episodes=(episode(1, key=key),), gaps=(gaps,))
    text = timeline_text(long, by, color=True, width=80)

    assert "\x1b[" in text
    plain = timeline_text(long, by, color=False, width=80)
    # A name that is too long stays whole.
    assert all(len(line) <= 80 or "x" * 200 in line or "y" * 200 in line for line in plain.splitlines())
    assert plain.count("x") >= 200


def test_no_text_controls_the_terminal() -> None:
    evil = [
        episode(
            number,
            scope=Scope(text, text),
            path=text,
            key=ObjectKey(text, text, text, text),
            actors=(Actor(text, text, text, text),),
        )
        for number, text in enumerate(HOSTILE_TEXTS)
    ]
    gaps = tuple(
        Gap(key, text, TIMELINE.now) for text in HOSTILE_TEXTS for key in (None, ObjectKey("", text, text, text))
    )
    timeline = Timeline(tuple(evil), 1, None, TIMELINE.now, (ScopeGaps(Scope("", HOSTILE_TEXTS[1]), 1, gaps),))
    for by in (None, *By):
        shown = timeline_text(timeline, by, color=False, width=None)
        assert {character for character in shown if not character.isprintable()} == {"\n"}


def test_the_json_has_the_same_content() -> None:
    document = json.loads(timeline_json(TIMELINE))

    assert document["kind"] == "DriftHistory"
    assert document["scans"] == {"count": 7, "last": "2026-01-10T11:00:00Z"}
    assert document["statistics"]["resolved"] == {"count": 1, "meanSeconds": 172800.0, "startUnknown": 0}
    first, second, third = document["episodes"]
    assert first["actors"][0]["manager"] == "kubectl-edit"
    assert (first["state"], first["endedAt"], first["openSeconds"]) == ("resolved", "2026-01-03T12:00:00Z", 172800.0)
    assert (second["namespace"], second["reopened"], second["endedAt"]) == (None, True, None)
    assert (third["scope"], third["openSeconds"]) == ("else", 1.5)
