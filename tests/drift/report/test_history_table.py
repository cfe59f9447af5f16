"""The timeline: one line for each episode by scope, statistics below, and no control characters."""

import json
from dataclasses import replace

from drift.history.episodes import EpisodeState, Scope
from drift.model import Actor, Evidence, ObjectKey
from drift.report.history_table import Timeline, people_text, timeline_json, timeline_text
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
opened                lasted  state           object            path       cause   severity  manager
2026-01-01T12:00:00Z  2 d     resolved        ConfigMap shop/a  data.x     manual  medium    kubectl-edit
2026-01-01T12:00:00Z  9 d     open, reopened  Namespace web     (changed)  manual  medium    -

else at https://prod.example.com
opened                lasted  state     object            path    cause   severity  manager
2026-01-01T12:00:00Z  1.5 s   reverted  ConfigMap shop/a  data.x  manual  medium    kubectl-edit

mean time to resolve: 2 d (1)
  by cause: manual 2 d (1)
  by severity: medium 2 d (1)
mean time until a GitOps controller reverted a change: 1.5 s (1)
1 open, 1 resolved, 1 reverted
7 scans, the last at 2026-01-10T11:00:00Z
"""


PEOPLE = """\
user              findings  open  mean time to end  latest                objects
jane@example.com  2         1     2 d               2026-01-01T12:00:00Z  ConfigMap shop/a, Namespace web
sam@example.com   1         1     -                 2026-01-01T12:00:00Z  Namespace web
(no user known)   1         1     -                 2026-01-02T12:00:00Z  ConfigMap shop/a
"""


def test_the_text() -> None:
    assert timeline_text(TIMELINE, color=False, width=None) == TEXT


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

    assert people_text(timeline, color=False, width=None) == PEOPLE
    assert "jane@example.com" in people_text(timeline, color=True, width=160)
    assert [one["user"] for one in json.loads(timeline_json(timeline))["people"]] == [jane.user, sam.user]
    assert "kubectl-set by jane@example.com" in timeline_text(timeline, color=False, width=None)


def test_an_empty_history_says_so() -> None:
    assert timeline_text(Timeline((), 0, None, TIMELINE.now), color=False, width=None) == "0 open\n0 scans\n"


def test_long_cells_are_folded_and_not_cut() -> None:
    long = Timeline((episode(1, path="spec." + "x" * 200),), 1, None, TIMELINE.now)
    text = timeline_text(long, color=True, width=80)

    assert "\x1b[" in text
    plain = timeline_text(long, color=False, width=80)
    assert max(map(len, plain.splitlines())) <= 80
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
    shown = timeline_text(Timeline(tuple(evil), 1, None, TIMELINE.now), color=False, width=None)

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
