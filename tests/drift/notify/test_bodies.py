"""The messages of each format stay within its limits, and names cannot contain markup."""

import json
from typing import Any

import pytest

from drift.model import ClusterInfo
from drift.notify.bodies import request_body
from drift.notify.message import message_of
from drift.report.formats import MessageFormat
from tests.drift.notify.messages import MESSAGE, SCAN, hostile, notification
from tests.drift.report.reports import HOSTILE_TEXTS, report

ALL_TEXTS = (
    *HOSTILE_TEXTS,
    "<!channel> <@U123> & <https://evil.example|click>",
    "{{DATE(2026-01-01T00:00:00Z)}} <at>all</at>",
)


def slack_texts(document: dict[str, Any]) -> list[str]:
    return [block["text"]["text"] for block in document["blocks"]]


def teams_texts(document: dict[str, Any]) -> list[str]:
    (attachment,) = document["attachments"]
    return ["".join(run["text"] for run in block["inlines"]) for block in attachment["content"]["body"]]


NEW = """\
*new*
• *critical* `Service shop/web` `missing`: `changed in the cluster`
• *medium* `ConfigMap shop/a` `data.x`: `changed in the cluster: kubectl-edit`"""
WORSENED = """\
*worsened*
• *low to high* `ConfigMap shop/a` `spec.containers[name=web].image`: `changed in the cluster: kubectl-edit`"""
RESOLVED = """\
*resolved*
• *medium* `ConfigMap shop/a` `data.x`: `after 2 d 4 h`"""


def test_slack() -> None:
    document: dict[str, Any] = request_body(MESSAGE, MessageFormat.SLACK)

    assert document["text"] == "Drift in prod: 2 new, 1 worsened, 1 resolved"
    state = "`shop/gitops:apps (namespace shop) is drifted: 1 finding (1 medium); 1 drifted`"
    assert slack_texts(document) == [document["text"], NEW, WORSENED, RESOLVED, state]


def test_teams() -> None:
    document: dict[str, Any] = request_body(MESSAGE, MessageFormat.TEAMS)

    assert document["type"] == "message"
    assert document["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert document["attachments"][0]["content"]["type"] == "AdaptiveCard"
    assert teams_texts(document) == [
        "Drift in prod: 2 new, 1 worsened, 1 resolved",
        "shop/gitops:apps (namespace shop) is drifted: 1 finding (1 medium); 1 drifted",
        "new",
        "critical Service shop/web missing changed in the cluster",
        "medium ConfigMap shop/a data.x changed in the cluster: kubectl-edit",
        "worsened",
        "low to high ConfigMap shop/a spec.containers[name=web].image changed in the cluster: kubectl-edit",
        "resolved",
        "medium ConfigMap shop/a data.x after 2 d 4 h",
    ]


def test_json() -> None:
    document = request_body(MESSAGE, MessageFormat.JSON)

    assert (document["apiVersion"], document["kind"]) == ("drift/v1", "DriftNotification")
    assert document["cluster"]["context"] == "prod"
    assert document["summary"]["objects"]["drifted"] == 1
    assert [(it["kind"], it["path"], it["severity"]) for it in document["new"]] == [
        ("Service", "", "critical"),
        ("ConfigMap", "data.x", "medium"),
    ]
    assert [(it["severityBefore"], it["severity"]) for it in document["worsened"]] == [("low", "high")]
    assert [(it["firstSeen"], it["resolvedAt"]) for it in document["resolved"]] == [
        ("2026-01-01T12:00:00Z", "2026-01-03T16:00:00Z")
    ]
    assert document["new"][1]["managers"] == ["kubectl-edit"]
    assert document["leftOut"] == 0


@pytest.mark.parametrize("form", MessageFormat)
def test_a_message_contains_no_value(form: MessageFormat) -> None:
    text = json.dumps(request_body(MESSAGE, form))

    assert "desired" not in text
    assert "live" not in text


@pytest.mark.parametrize(
    ("text", "count"),
    [*((text, 100) for text in ALL_TEXTS), ("x" * 1_048_576, 1), ("<" * 500, 100), ("\N{SNOWMAN}" * 500, 100)],
)
def test_a_message_respects_the_limits_of_the_receiver(text: str, count: int) -> None:
    message = hostile(text, count, report(cluster=ClusterInfo(text, text, text)))

    slack = request_body(message, MessageFormat.SLACK)
    assert len(slack["blocks"]) <= 50
    assert max(map(len, slack_texts(slack))) <= 3000
    assert len(slack_texts(slack)[0]) <= 150
    assert len(json.dumps(request_body(message, MessageFormat.TEAMS))) <= 28_000


@pytest.mark.parametrize("text", ALL_TEXTS)
def test_names_are_not_markup_for_slack(text: str) -> None:
    document: dict[str, Any] = request_body(hostile(text), MessageFormat.SLACK)

    for block in document["blocks"][1:]:
        assert block["text"]["verbatim"] is True
        shown = block["text"]["text"]
        assert not {"<", ">"} & set(shown)
        assert shown.count("`") % 2 == 0
        outside = "".join(shown.split("`")[::2])
        assert set(outside) <= set("*newworsenedresolvedlowtomedium•:\n ")
    assert document["blocks"][0]["text"]["type"] == "plain_text"


@pytest.mark.parametrize("text", ALL_TEXTS)
def test_names_are_not_markup_for_teams(text: str) -> None:
    document: dict[str, Any] = request_body(hostile(text), MessageFormat.TEAMS)

    body = document["attachments"][0]["content"]["body"]
    assert {block["type"] for block in body} == {"RichTextBlock"}
    assert {run["type"] for block in body for run in block["inlines"]} == {"TextRun"}


def test_omitted_notifications_are_counted() -> None:
    message = message_of(SCAN, "apps", [notification(number) for number in range(600)])

    slack = slack_texts(request_body(message, MessageFormat.SLACK))[1]
    shown = slack.count("•")
    assert 10 < shown < 600
    assert slack.endswith(f"\n...and {600 - shown} more")
    teams = teams_texts(request_body(message, MessageFormat.TEAMS))
    assert teams[-1] == f"...and {600 - (len(teams) - 4)} more"
    document = request_body(message, MessageFormat.JSON)
    assert (len(document["new"]), document["leftOut"]) == (500, 100)
