"""What text, Markdown and HTML show of a report, and what they say about the rest."""

from typing import Any

import pytest

from drift.globs import Glob
from drift.model import Cause, ObjectKey, ObjectReport, Severity, Status
from drift.report.filters import NO_FILTERS, Filters
from drift.report.html.page import to_html
from drift.report.markdown import to_markdown
from drift.report.text import to_text
from tests.drift.report.reports import RICH, finding, item, report

WEB = item("Deployment", "web", Status.DRIFTED, finding(1), finding(2, severity=Severity.CRITICAL, path="spec.x"))
PENDING = item("ConfigMap", "settings", Status.DRIFTED, finding(3, cause=Cause.PENDING_SYNC))
UNREAD = item("Secret", "db", Status.UNCHECKED, reason="may not be read")
ROLE = item("ClusterRole", "admin", Status.DRIFTED, finding(4), key=ObjectKey("rbac", "ClusterRole", None, "admin"))
MIXED = report(WEB, PENDING, UNREAD, ROLE)


def shown(filters: Filters) -> tuple[set[str], str | None]:
    objects, hidden = filters.apply(MIXED)
    return {f"{one.name} {len(one.findings)}" for one in objects}, hidden


@pytest.mark.parametrize(
    ("filters", "names", "hidden"),
    [
        (NO_FILTERS, {"web 2", "settings 1", "db 0", "admin 1"}, None),
        (Filters(severity=Severity.CRITICAL), {"web 1", "db 0"}, "3 findings not shown (--severity)"),
        (
            Filters(kinds=(Glob("deployment"),)),
            {"web 2"},
            "2 findings and 1 object without findings not shown (--kind)",
        ),
        (Filters(kinds=(Glob("*map"), Glob("secret"))), {"settings 1", "db 0"}, "3 findings not shown (--kind)"),
        (Filters(causes=(Cause.PENDING_SYNC,)), {"settings 1", "db 0"}, "3 findings not shown (--cause)"),
        (
            Filters(namespaces=(Glob("sh*"),)),
            {"web 2", "settings 1", "db 0"},
            "1 finding not shown (--only-namespace)",
        ),
        (
            Filters(namespaces=(Glob(""),)),
            {"admin 1"},
            "3 findings and 1 object without findings not shown (--only-namespace)",
        ),
        (
            Filters(kinds=(Glob("deploymnt"),), namespaces=(Glob("shpo"),)),
            set(),
            (
                "4 findings and 1 object without findings not shown (--kind, --only-namespace); --kind deploymnt "
                "matches no object; did you mean 'Deployment'?; --only-namespace shpo "
                "matches no object; did you mean 'shop'?"
            ),
        ),
        (
            Filters(limit=1, causes=(Cause.MANUAL,)),
            {"web 1", "db 0"},
            "3 findings not shown (--cause, --limit)",
        ),
    ],
)
def test_a_filter_hides_the_rest_and_counts_it(filters: Filters, names: set[str], hidden: str | None) -> None:
    assert shown(filters) == (names, hidden)


def test_every_format_for_people_shows_what_the_filters_leave_and_the_verdict_of_everything() -> None:
    filters = Filters(kinds=(Glob("deployment"),))
    texts: list[str] = [
        to_text(MIXED, color=False, filters=filters),
        to_markdown(MIXED, filters=filters),
        to_html(MIXED, filters=filters),
    ]

    for text in texts:
        assert "web" in text
        assert "settings" not in text
        assert "2 findings and 1 object without findings not shown (--kind)" in text
    assert "4 findings" in texts[0]
    assert "4 findings" in texts[1]


def test_no_filter_shows_everything() -> None:
    objects, hidden = NO_FILTERS.apply(RICH)

    assert hidden is None
    assert sorted(map(_name, objects)) == sorted(map(_name, RICH.objects))


def _name(one: ObjectReport) -> Any:
    return (one.name, one.kind, len(one.findings))
