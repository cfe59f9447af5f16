"""The messages of each format stay within its limits, and names cannot contain markup."""

import json
from dataclasses import replace
from typing import Any

import pytest

from drift.model import ClusterInfo
from drift.notify.message import message_of, request_body
from drift.report.formats import MessageFormat
from drift.report.view import summary
from tests.drift.notify.golden import body, golden_file
from tests.drift.notify.messages import MESSAGE, SCAN, URL, hostile, notification
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


@pytest.mark.parametrize("form", MessageFormat)
def test_it_matches_its_golden_file(form: MessageFormat) -> None:
    assert body(form) == golden_file(form).read_bytes().decode()


def test_only_findings_that_the_report_has_are_linked() -> None:
    slack: dict[str, Any] = request_body(MESSAGE, MessageFormat.SLACK)
    teams: dict[str, Any] = request_body(MESSAGE, MessageFormat.TEAMS)

    # A pipe would end the URL of a link of Slack.
    url = "https://ci.example.com/drift/report.html?a=1&amp;b=2%7C3"
    assert "".join(slack_texts(slack)).count(f"<{url}#0000000000000001|show>") == 1
    assert slack_texts(slack)[-1] == f"<{url}|Open the report>"
    card = teams["attachments"][0]["content"]
    runs = [run for block in card["body"] for run in block["inlines"] if "selectAction" in run]
    assert [run["selectAction"]["url"] for run in runs] == [f"{URL}#0000000000000001"]
    assert [action["url"] for action in card["actions"]] == [URL]


@pytest.mark.parametrize("form", MessageFormat)
def test_without_a_url_there_are_no_links(form: MessageFormat) -> None:
    text = json.dumps(request_body(replace(MESSAGE, report_url=None), form))

    assert "ci.example.com" not in text
    assert "Open" not in text


def test_json() -> None:
    document = request_body(MESSAGE, MessageFormat.JSON)

    assert (document["apiVersion"], document["kind"]) == ("drift/v1", "DriftNotification")
    assert document["cluster"]["context"] == "prod"
    assert document["summary"]["objects"]["drifted"] == 1
    assert document["reportUrl"] == URL
    assert [(it["kind"], it["path"], it["severity"]) for it in document["new"][:2]] == [
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


def test_long_names_hide_neither_the_numbers_nor_the_result() -> None:
    context = "arn:aws:eks:eu-central-1:123456789012:cluster/" + "production-" * 12
    scan = replace(SCAN, cluster=ClusterInfo(context, "https://example.com", "v1.36.3"))
    scope = ", ".join(f"shop/gitops:clusters/production/{number}" for number in range(100))
    message = message_of(scan, scope, MESSAGE.notifications)

    for texts in (
        slack_texts(request_body(message, MessageFormat.SLACK)),
        teams_texts(request_body(message, MessageFormat.TEAMS)),
    ):
        title, state = texts[:2]
        assert title.startswith("Drift in arn:aws:eks:eu-central-1:")
        assert title.endswith("...: 5 new, 1 worsened, 1 resolved")
        assert state.strip("`").startswith("shop/gitops:clusters/production/0, ")
        assert state.strip("`").endswith(f"... is {summary(scan)}")
    assert message.title == f"Drift in {context}: 5 new, 1 worsened, 1 resolved"


def test_short_names_are_whole() -> None:
    title, state = teams_texts(request_body(MESSAGE, MessageFormat.TEAMS))[:2]

    assert title == MESSAGE.title
    assert state == f"{MESSAGE.scope} is {summary(MESSAGE.report)}"


@pytest.mark.parametrize("text", ALL_TEXTS)
def test_names_are_not_markup_for_slack(text: str) -> None:
    document: dict[str, Any] = request_body(hostile(text), MessageFormat.SLACK)

    for block in document["blocks"][1:-1]:
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

    slack = slack_texts(request_body(message, MessageFormat.SLACK))[2]
    assert (slack.count("•"), slack.splitlines()[-1]) == (3, "...and 597 more")
    teams = teams_texts(request_body(message, MessageFormat.TEAMS))
    assert (len(teams), teams[-1]) == (7, "...and 597 more")
    document = request_body(message, MessageFormat.JSON)
    assert (len(document["new"]), document["leftOut"]) == (500, 100)
