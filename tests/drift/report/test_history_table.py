"""The timeline: a line for each episode by scope, statistics below, and nothing that steers a terminal."""

import json
from dataclasses import replace

from drift.history.episodes import EpisodeState, Scope
from drift.model import Actor, ObjectKey
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
opened                lasted  state           object            path       cause   severity  manager
2026-01-01T12:00:00Z  2 d     resolved        ConfigMap shop/a  data.x     manual  medium    kubectl-edit
2026-01-01T12:00:00Z  9 d     open, reopened  Namespace web     (changed)  manual  medium    -

else at https://prod.example.com
opened                lasted  state     object            path    cause   severity  manager
2026-01-01T12:00:00Z  1.5 s   reverted  ConfigMap shop/a  data.x  manual  medium    kubectl-edit

mean time to resolve: 2 d (1)
  by cause: manual 2 d (1)
  by severity: medium 2 d (1)
reverted by a syncer, on average after: 1.5 s (1)
1 open, 1 resolved, 1 reverted
7 scans, the last at 2026-01-10T11:00:00Z
"""


def test_the_text() -> None:
    assert timeline_text(TIMELINE, color=False, width=None) == TEXT


def test_an_empty_history_says_so() -> None:
    assert timeline_text(Timeline((), 0, None, TIMELINE.now), color=False, width=None) == "0 open\n0 scans\n"


def test_a_terminal_folds_what_is_long_and_loses_nothing() -> None:
    long = Timeline((episode(1, path="spec." + "x" * 200),), 1, None, TIMELINE.now)
    text = timeline_text(long, color=True, width=80)

    assert "\x1b[" in text
    plain = timeline_text(long, color=False, width=80)
    assert max(map(len, plain.splitlines())) <= 80
    assert plain.count("x") >= 200


def test_nothing_steers_the_terminal() -> None:
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


def test_the_json_says_the_same() -> None:
    document = json.loads(timeline_json(TIMELINE))

    assert document["kind"] == "DriftHistory"
    assert document["scans"] == {"count": 7, "last": "2026-01-10T11:00:00Z"}
    assert document["statistics"]["resolved"] == {"count": 1, "meanSeconds": 172800.0, "startUnknown": 0}
    first, second, third = document["episodes"]
    assert first["actors"][0]["manager"] == "kubectl-edit"
    assert (first["state"], first["endedAt"], first["openSeconds"]) == ("resolved", "2026-01-03T12:00:00Z", 172800.0)
    assert (second["namespace"], second["reopened"], second["endedAt"]) == (None, True, None)
    assert (third["scope"], third["openSeconds"]) == ("else", 1.5)
