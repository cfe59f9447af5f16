"""The HTML page in Chromium: search, filters, themes, links, keyboard, printing, and no requests or errors."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

from drift.model import Cause, Report, Severity, SourceInfo, SourceKind, Status
from drift.report.html.page import to_html
from drift.watch.http_server import HttpServer
from drift.watch.reflector import Timing
from drift.watch.responses import WatchStatus
from tests.drift.report.reports import HOSTILE, INCIDENT, finding, item
from tools.browser import MISSING, chromium, set_media, set_window, stop_clock
from tools.screenshot import on_call

AXE = Path(__file__).parents[3] / "node_modules/axe-core/axe.min.js"
WIDE = (1240, 1000)
NARROW = (400, 800)
#: In seconds, long enough for a busy machine.
TIMEOUT = 180

_HEADINGS = "return [...document.querySelectorAll('.objects h3')].map((heading) => heading.textContent)"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]


class Page:
    """A report in the browser."""

    def __init__(self, driver: webdriver.Chrome, folder: Path) -> None:
        self.driver = driver
        self._folder = folder
        stop_clock(driver, datetime.fromisoformat(on_call().generated_at) + timedelta(minutes=3))

    def open(self, report: Report, fragment: str = "") -> None:
        file = self._folder / "report.html"
        file.write_text(to_html(report), "utf-8")
        self.driver.get("about:blank")
        self.driver.get(file.as_uri() + fragment)

    def one(self, selector: str) -> WebElement:
        # The page adds a finding's body on the browser's toggle event, which is asynchronous.
        found = expected_conditions.presence_of_element_located((By.CSS_SELECTOR, selector))
        return WebDriverWait(self.driver, TIMEOUT).until(found)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    @property
    def objects(self) -> list[str]:
        # Not their visible text: the browser does not lay out what is far out of view.
        return [" ".join(str(text).split()) for text in self.run(_HEADINGS)]

    @property
    def count(self) -> str:
        return self.one("#count").text

    def choose(self, facet: str, value: str) -> None:
        self.one(f'fieldset[data-facet="{facet}"] input[value="{value}"]').click()

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def console_messages(self) -> list[str]:
        """Returns the messages of the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """Returns the URLs requested since the last call, without the page's own."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))  # type: ignore[no-untyped-call]
        urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith(("file://", "data:", "about:"))]


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def page(driver: webdriver.Chrome, tmp_path: Path) -> Iterator[Page]:
    set_window(driver, *WIDE)
    set_media(driver)
    made = Page(driver, tmp_path)
    made.requests()
    made.console_messages()
    yield made
    assert made.console_messages() == []
    assert made.requests() == []


def test_it_leads_with_the_verdict_and_lists_the_worst_first(page: Page) -> None:
    page.open(on_call())

    assert page.one("h1").text == "Drifted"
    assert page.objects[0] == "NetworkPolicy checkout/default-deny"
    assert page.count == "9 findings in 7 objects"


def test_the_search_finds_words_in_any_order_and_counts_the_matches(page: Page) -> None:
    page.open(on_call())

    page.one("#words").send_keys("hotfix IMAGE")

    assert page.objects == ["Deployment checkout/api"]
    assert page.count == "1 finding in 1 object"
    page.one("#words").send_keys(" nowhere")
    assert page.count == "Nothing matches"


@pytest.mark.parametrize(
    ("facet", "value", "objects"),
    [
        ("severity", "critical", ["NetworkPolicy checkout/default-deny"]),
        ("cause", "pending-sync", ["Service checkout/api"]),
        ("status", "missing", ["ConfigMap checkout/api-limits"]),
        ("kind", "Secret", ["Secret checkout/payment-provider"]),
        ("lifecycle", "reopened", ["NetworkPolicy checkout/default-deny"]),
    ],
)
def test_each_filter_shows_only_what_it_names(page: Page, facet: str, value: str, objects: list[str]) -> None:
    page.open(on_call())

    page.choose(facet, value)

    assert page.objects == objects
    page.one("#reset").click()
    assert page.count == "9 findings in 7 objects"


def test_several_namespaces_or_clusters_have_filters(page: Page) -> None:
    drifted = item("ConfigMap", "a", Status.DRIFTED, finding(1), cluster="https://one")
    other = replace(drifted, key=replace(drifted.key, namespace="other"), cluster="https://two")
    page.open(replace(on_call(), objects=(drifted, other)))

    page.choose("namespace", "other")
    assert page.objects == ["ConfigMap other/a"]
    page.one("#reset").click()
    page.choose("cluster", "https://one")
    assert page.objects == ["ConfigMap shop/a"]


def test_a_facet_with_one_value_has_no_filter(page: Page) -> None:
    page.open(replace(on_call(), objects=(item("ConfigMap", "a", Status.DRIFTED, finding(1)),)))

    assert page.one("#words").is_displayed()
    assert not page.one("#filters").is_displayed()
    assert not page.one("#reset").is_displayed()


def test_findings_of_controllers_are_shown_on_request(page: Page) -> None:
    page.open(on_call())

    page.one("#non-drift").click()

    assert page.count == "10 findings in 7 objects"
    badges = page.all(".finding.non-drift .badge")
    assert [badge.get_attribute("textContent") for badge in badges] == ["new", "controller"]


def test_findings_expand_and_collapse_one_by_one_and_all_at_once(page: Page) -> None:
    page.open(on_call())

    page.one(".finding summary").click()
    assert "kubectl-patch" in page.one(".finding .body").text
    page.one("#expand").click()
    assert len(page.all(".finding[open]")) == 9
    page.one("#collapse").click()
    assert page.all(".finding[open]") == []


def test_git_and_live_are_two_lines_that_mark_what_differs(page: Page) -> None:
    page.open(on_call())

    image = next(one for one in page.all(".finding") if "image" in one.text)
    assert [line.text.split() for line in image.find_elements(By.CSS_SELECTOR, ".line")] == [
        ["Git", "registry.example.com/checkout/api:v2.14.0"],
        ["live", "registry.example.com/checkout/api:v2.14.1-hotfix"],
    ]
    assert [mark.text for mark in image.find_elements(By.TAG_NAME, "mark")] == ["0", "1-hotfix"]


def test_an_object_says_what_it_is_and_a_finding_what_it_does_to_security(page: Page) -> None:
    page.open(on_call())

    assert page.one(".object .digest").get_attribute("textContent") == "runs nicolaka/netshoot:latest; hostNetwork"
    assert page.one(".finding .badge.loosens").get_attribute("textContent") == "loosens"


@pytest.mark.parametrize("has_clipboard", [True, False])
def test_a_command_is_copied_from_a_file(page: Page, has_clipboard: bool) -> None:
    page.open(on_call())
    page.one(".finding summary").click()
    if not has_clipboard:
        # As in a page that came without TLS.
        page.run("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    command = page.one(".command code").text
    page.one(".command .copy").click()

    WebDriverWait(page.driver, TIMEOUT).until(lambda _: page.one(".command .copy").text == "Copied")
    words = page.one("#words")
    words.send_keys(Keys.CONTROL, "v")
    assert words.get_attribute("value") == command


def test_ages_are_those_of_the_moment(page: Page) -> None:
    page.open(on_call())

    assert "scanned 3m ago (2026-03-12 03:07:00 UTC)" in " ".join(page.one("header .facts").text.split())
    assert page.one(".finding .age").text == "41m ago"


def test_objects_of_several_sources_keep_their_headings_when_filtered(page: Page) -> None:
    sources = (SourceInfo(SourceKind.FILES, "apps"), SourceInfo(SourceKind.KUSTOMIZE, "infra"))
    items = [item("ConfigMap", name, Status.DRIFTED, finding(1), origins=(name,)) for name in ("apps", "infra")]
    page.open(replace(on_call(), objects=(*items, item("Pod", "a", Status.UNMANAGED, finding(2))), sources=sources))

    assert [heading.partition(":")[0] for heading in page.objects[::2]] == ["apps", "infra", "in no source"]
    page.one("#words").send_keys("infra")
    assert page.objects == ["infra: kustomization, 0 objects", "ConfigMap shop/infra"]


def test_a_name_of_the_strip_searches_for_its_findings(page: Page) -> None:
    page.open(on_call())

    page.one(".strip button").click()

    assert page.one("#words").get_attribute("value") == "kubectl-edit"
    assert page.count == "3 findings in 2 objects"


def test_a_group_counts_and_lists_the_objects_that_match(page: Page) -> None:
    page.open(INCIDENT)
    assert page.count == "300 findings in 240 objects"
    assert page.objects[0] == "67 Pods in shop"

    page.one("#words").send_keys("miner-1")
    page.one(".finding summary").click()

    assert page.objects == ["67 Pods in shop: 10 match"]
    assert page.count == "10 findings in 10 objects"
    assert [member.text for member in page.all(".members b")] == [f"miner-{number}" for number in range(10, 20)]
    last = str(page.all(".members a")[-1].get_attribute("href"))
    page.open(INCIDENT, last[last.index("#") :])
    assert "miner-19" in page.one(".finding.target").text


def test_a_link_opens_its_finding_even_if_a_filter_hides_it(page: Page) -> None:
    report = on_call()
    hidden = next(found for shown in report.objects for found in shown.findings if found.cause is Cause.CONTROLLER)

    page.open(report, f"#{hidden.id}")

    target = page.one(".finding.target")
    assert target.get_attribute("open") is not None
    assert hidden.id in target.text
    assert page.run("return document.activeElement === arguments[0].firstElementChild", target)


def test_the_theme_is_the_systems_until_the_user_selects_one(page: Page) -> None:
    def background() -> str:
        return str(page.run("return getComputedStyle(document.documentElement).backgroundColor"))

    page.open(on_call())
    light = background()
    set_media(page.driver, scheme="dark")
    dark = background()
    assert light != dark

    page.one('#theme input[value="light"]').find_element(By.XPATH, "./..").click()
    assert background() == light
    page.one('#theme input[value="dark"]').find_element(By.XPATH, "./..").click()
    set_media(page.driver, scheme="light")
    assert background() == dark


def test_the_keyboard_reaches_and_opens_a_finding(page: Page) -> None:
    page.open(on_call())

    for _ in range(80):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        if page.run("return document.activeElement.tagName === 'SUMMARY' && document.activeElement.closest('main')"):
            break
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()

    assert len(page.all(".finding[open]")) == 1
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_without_scripts_the_worst_findings_are_listed_in_the_same_markup(page: Page) -> None:
    def markup() -> list[str]:
        found = (part.get_attribute("outerHTML") or "" for part in page.all(".objects .head, .finding > summary"))
        return [re.sub(r"(<time[^>]*?)(?: title=[^>]*)?>[^<]*", r"\1>", text) for text in found]

    page.open(replace(on_call(), objects=(*on_call().objects, *INCIDENT.objects)))
    page.one("#non-drift").click()
    filled = markup()
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.driver.refresh()

        assert markup() == filled
        page.one(".finding summary").click()
        assert "kubectl-run (Update), 2026-01-01 10:00:00 UTC" in page.one(".finding .body").text
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [WIDE, NARROW], ids=["wide", "narrow"])
def test_it_is_accessible(page: Page, scheme: str, window: tuple[int, int]) -> None:
    set_window(page.driver, *window)
    set_media(page.driver, scheme=scheme)
    page.open(replace(on_call(), objects=(*on_call().objects, *INCIDENT.objects)))
    page.one("#expand").click()

    # The page's policy refuses other scripts, so this one is evaluated through the DevTools protocol.
    page.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text("utf-8")})
    result = page.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")

    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in result["violations"]] == []


def test_printing_expands_all_findings_that_match(page: Page) -> None:
    page.open(on_call())
    page.choose("kind", "Deployment")

    page.run("dispatchEvent(new Event('beforeprint'))")
    set_media(page.driver, media="print")

    assert len(page.all(".finding[open]")) == len(page.all(".finding")) == 5
    assert not page.one("#words").is_displayed()
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.all(".finding[open]") == []


def test_ten_thousand_objects_are_searched_and_added_in_steps(page: Page) -> None:
    objects = tuple(
        item("ConfigMap", f"settings-{number:05}", Status.DRIFTED, finding(number, severity=Severity.LOW, live=-number))
        for number in range(10_000)
    )
    page.open(replace(on_call(), objects=objects))

    assert page.count == "10,000 findings in 10,000 objects"
    assert len(page.objects) < 1_000
    page.one("#words").send_keys("settings-04321")
    assert page.objects == ["ConfigMap shop/settings-04321"]
    page.one("#words").clear()
    page.one("#words").send_keys("settings-0")
    page.run("document.querySelector('#more').scrollIntoView()")
    WebDriverWait(page.driver, TIMEOUT).until(lambda _: len(page.objects) > 60)


def test_hostile_texts_stay_text(page: Page) -> None:
    page.open(HOSTILE)
    page.run("document.querySelector('#non-drift').click()")
    page.one("#expand").click()

    assert "<script>alert(1)</script>" in page.one("main").text
    assert page.all("main script, main img, main iframe") == []


def test_the_page_of_the_watch_loads_new_reports_and_keeps_what_is_open(page: Page) -> None:
    status = WatchStatus(Timing())
    server = HttpServer(status, "127.0.0.1", 0)
    server.start()
    try:
        page.driver.get(f"{server.url}/")
        assert "the first scan is not done yet" in page.one("p").text
        status.set_report(replace(on_call(), past=()), ())
        page.one("#live")
        page.choose("kind", "Deployment")
        page.one("#words").send_keys("image")
        page.one(".finding summary").click()
        page.one("#words").clear()
        page.one("#words").send_keys("api")
        set_window(page.driver, 1240, 300)
        page.run("scrollTo(0, document.querySelector('.finding[open]').getBoundingClientRect().top)")
        before = page.run("return document.querySelector('.finding[open]').getBoundingClientRect().top")

        # The clock of the page stands still, so that "scanned" shows the difference between the two reports.
        worse = item("ConfigMap", "worse", Status.DRIFTED, finding(99, severity=Severity.CRITICAL))
        added = (worse, replace(worse, key=replace(worse.key, kind="Deployment", name="api-2")))
        newer = replace(on_call(), objects=(*added, *on_call().objects), past=(), generated_at="2026-03-12T03:08:00Z")
        status.set_report(newer, ())
        shows_it = "return document.querySelector('#list').textContent.includes('api-2')"
        WebDriverWait(page.driver, TIMEOUT).until(lambda _: page.run(shows_it))

        assert page.one("#live-scanned").text == "2m ago"
        assert page.one("#words").get_attribute("value") == "api"
        assert [one.text.split()[1] for one in page.all(".finding[open]")] == [
            "spec.template.spec.containers[name=api].image"
        ]
        top = "return document.querySelector('.finding[open]').getBoundingClientRect().top"
        WebDriverWait(page.driver, TIMEOUT).until(lambda _: page.run(top) == pytest.approx(before, abs=2))
    finally:
        server.stop()
    WebDriverWait(page.driver, TIMEOUT).until(lambda _: "does not answer" in page.one("#live-text").text)
    assert page.one("#live.outdated").is_displayed()
    page.driver.get("about:blank")
    page.requests()
    page.console_messages()


def test_the_page_of_the_watch_loads_new_reports_after_all_is_expanded(page: Page) -> None:
    status = WatchStatus(Timing())
    server = HttpServer(status, "127.0.0.1", 0)
    server.start()
    try:
        without_findings = item("Secret", "unread", Status.UNCHECKED, reason="forbidden")
        first = item("ConfigMap", "first", Status.DRIFTED, finding(1))
        status.set_report(replace(on_call(), objects=(first, without_findings), past=()), ())
        page.driver.get(f"{server.url}/")
        page.one("#expand").click()

        second = item("ConfigMap", "second", Status.DRIFTED, finding(2))
        status.set_report(replace(on_call(), objects=(first, second, without_findings), past=()), ())

        WebDriverWait(page.driver, TIMEOUT).until(lambda _: "ConfigMap shop/second" in page.objects)
        assert len(page.all(".finding[open]")) == 1
    finally:
        server.stop()
    page.driver.get("about:blank")
    page.requests()
    page.console_messages()


def test_the_trend_is_a_chart_and_a_table(page: Page) -> None:
    page.open(on_call())

    assert page.one("figure svg").get_attribute("role") == "img"
    assert len(page.all("figure svg > g")) == len(on_call().past)
    page.one("figure details summary").click()
    assert page.one("figure tbody tr").text.endswith("9 6 1 yes")
