"""The HTML report in a real browser: it opens, filters, unfolds, changes its theme, fits a phone.

Skipped where no Chromium and driver are installed.
"""

import itertools
import json
import shutil

import pytest

from chaos.fault_id import parse_case
from conformance.commands.chaos_replay import run_again
from conformance.report_history import PastMetric, PastRun
from conformance.report_model import Status
from conformance.report_model_campaign import replay_command
from conformance.report_model_fates import against_report
from conformance.report_model_timeline import case_timeline
from conformance.reporters.html import render
from conformance.side_by_side import PORTS, strike, struck_cases

from .conftest import CHAOS, CODEMOD, ITEMS, report_of, scenario
from .test_rates_console import rates

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="no Chromium on this machine"),
]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = (360, 740)
DESK = (1280, 900)
WAIT_S = 30  # a busy machine


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("html")
    more = tuple(scenario(f"generated-{number}", Status.PASSED) for number in range(250))
    past = [
        PastRun("gate", "2026-11-28T10:00:00Z", "0.1.0", 1, {"failed": 2}, {"engine-size": metric})
        for metric in (PastMetric("missed", 12.0, 20.0, "%", "f"),)
    ]
    report = report_of(items=(*ITEMS, *more), chaos=CHAOS, codemod=CODEMOD)
    file = folder / "report.html"
    file.write_text(render(report, past), "utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def look_at(chromium, size, scheme):
    """Give the browser a screen of this size, and this preference for light or dark."""
    width, height = size
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
    )
    chromium.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )


@pytest.fixture
def opened(chromium, page):
    def shown(size=DESK, scheme="light"):
        look_at(chromium, size, scheme)
        chromium.get(page)
        chromium.execute_script("localStorage.clear()")
        chromium.get_log("performance")  # what came before is not the page's
        chromium.get(page)
        return chromium

    yield shown
    assert chromium.get_log("browser") == []


def _texts(driver, selector):
    return driver.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector
    )


def _chosen(driver, name, value):
    driver.execute_script(
        "const f = document.forms[0].elements[arguments[0]]; f.value = arguments[1];"
        "f.dispatchEvent(new Event('input', {bubbles: true}))",
        name,
        value,
    )


def test_it_opens_with_what_needs_somebody_and_asks_for_nothing(opened):
    driver = opened()
    assert driver.title == "the harness failed · planproof gate"
    assert _texts(driver, "#shown") == ["6 of 259 match."]
    assert _texts(driver, "#list .state")[0] == "harness error"
    requests = {
        json.loads(entry["message"])["message"]["params"]["request"]["url"].partition(":")[0]
        for entry in driver.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    }
    assert requests <= {"file", "data"}


def test_a_finding_unfolds_into_both_timelines(opened):
    from selenium.webdriver.support.wait import WebDriverWait

    driver = opened()
    _chosen(driver, "text", "broken")
    assert driver.execute_script("return document.querySelectorAll('#list .body').length") == 0
    driver.find_element("css selector", "#list summary").click()
    # The browser says that it unfolded only after the click has returned.
    WebDriverWait(driver, WAIT_S).until(lambda _: _texts(driver, ".events th"))
    assert _texts(driver, ".events th") == ["no.", "legacy", "unified"]
    rows = _texts(driver, ".events tbody tr")
    assert rows[2] == "▶ 3execute: failure, 2 completedcall b {}"
    assert "planproof diff --scenarios .planproof/findings/broken.json" in _texts(
        driver, "#list code"
    )
    summary = driver.find_element("css selector", "#list .body details summary")
    summary.click()
    assert driver.find_element("css selector", "#list pre").is_displayed()


def test_filters_narrow_and_a_ledger_entry_shows_its_scenarios(opened):
    driver = opened()
    _chosen(driver, "status", "passed")
    assert _texts(driver, "#shown") == ["251 of 259 match, 100 are shown."]
    driver.find_element("id", "more").click()
    assert _texts(driver, "#shown") == ["251 of 259 match, 200 are shown."]
    driver.find_element("css selector", "[data-entry]").click()
    assert _texts(driver, "#list .what") == ["acceptedaccepted by DIV-001"]
    driver.find_element("css selector", "form [type=reset]").click()
    assert _texts(driver, "#shown") == ["259 of 259 match, 100 are shown."]


def _paper(driver):
    return driver.execute_script("return getComputedStyle(document.body).backgroundColor")


def test_the_theme_follows_the_system_until_one_is_chosen(opened):
    light = _paper(opened(scheme="light"))
    driver = opened(scheme="dark")
    dark = _paper(driver)
    assert light != dark
    button = driver.find_element("id", "theme")
    seen = []
    for _ in range(3):
        button.click()
        seen.append((button.text, _paper(driver)))
    assert seen == [("Theme: light", light), ("Theme: dark", dark), ("Theme: system", dark)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(opened, scheme):
    driver = opened(scheme=scheme)
    low = driver.execute_script(CONTRAST)
    assert low == []


def test_it_fits_a_phone(opened):
    driver = opened(PHONE)
    driver.find_element("css selector", "#list summary").click()
    width = driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= PHONE[0]


def test_it_can_be_used_by_keyboard_alone(opened):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    driver = opened()

    def press(key):
        ActionChains(driver).send_keys(key).perform()
        return driver.switch_to.active_element

    first = press(Keys.TAB)
    assert first.text == "Skip to the report"
    assert first.value_of_css_property("outline-style") != "none"
    press(Keys.ENTER)
    assert driver.switch_to.active_element.get_attribute("id") == "main"
    for _ in range(40):
        if press(Keys.TAB).get_attribute("class") == "row":
            break
    press(Keys.ENTER)
    assert driver.execute_script("return document.querySelector('#list details').open")


@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_failure_rates_of_a_gate_are_drawn_for_the_eye(chromium, tmp_path, size, scheme):
    file = tmp_path / "gate.html"
    file.write_text(render(report_of(kind="gate", rates=rates()), []), "utf-8")
    look_at(chromium, size, scheme)
    chromium.get(file.as_uri())
    chromium.find_element("css selector", "nav a[href='#rates']").click()
    drawn = chromium.execute_script(DRAWN)
    assert len(drawn["bars"]) == len(drawn["dots"]) == 2
    assert drawn["margin"]["width"] > 1
    for box in (*drawn["bars"], *drawn["dots"], drawn["margin"]):
        assert drawn["picture"]["left"] <= box["left"] <= box["right"] <= drawn["picture"]["right"]
    assert drawn["picture"]["right"] <= size[0]
    texts = drawn["texts"]
    assert min(box["height"] for box in texts) >= 10, "too small to be read"
    assert not [1 for one, other in itertools.combinations(texts, 2) if _overlap(one, other)]
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert chromium.get_log("browser") == []


DRAWN = """
const boxes = (s) => [...document.querySelectorAll('#rates ' + s)].map((e) => {
  const b = e.getBoundingClientRect();
  return {left: b.left, right: b.right, top: b.top, bottom: b.bottom, width: b.width, height: b.height};
});
return {picture: boxes('svg')[0], bars: boxes('.interval'), dots: boxes('circle'),
        margin: boxes('.margin')[0], texts: boxes('text')};
"""


def _overlap(one, other):
    return (
        max(one["left"], other["left"]) < min(one["right"], other["right"])
        and max(one["top"], other["top"]) < min(one["bottom"], other["bottom"]) - 2
    )


FAILED = "chain2/L1@s1.tool#1:TA/subject=legacy-restarted"


@pytest.fixture(scope="module")
def chaos_page(tmp_path_factory):
    case, history = run_again(parse_case(FAILED))
    drawn = case_timeline(case, history, replay_command(FAILED))
    points = [strike(name, one) for name in PORTS for one in struck_cases(name, ["chain1"])]
    report = against_report(points, "planproof chaos --against legacy")
    chaos = report.chaos.model_copy(update={"timelines": (drawn,)})
    file = tmp_path_factory.mktemp("chaos") / "chaos.html"
    file.write_text(render(report.model_copy(update={"chaos": chaos}), []), "utf-8")
    return file.as_uri(), points


def _boxes(driver, selector):
    return driver.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(e => {"
        "const b = e.getBoundingClientRect(); return [b.width, b.height]})",
        selector,
    )


def test_a_failure_is_told_to_somebody_who_has_never_seen_one(chromium, chaos_page):
    chromium.get(chaos_page[0])
    told = chromium.find_element("css selector", "section.case").text
    assert "run by the legacy-restarted executor" in told
    assert "at 's1.tool' for the 1st time: killed after the effect" in told
    assert "How to read it: time goes down." in told
    assert f"planproof chaos --replay '{FAILED}'" in told
    heads = [text for text in _texts(chromium, "section.case th") if text]
    assert heads[:6] == ["No.", "Time", "Life", "Worker", "Store", "Outside world"]
    rows = [" ".join(row.split()) for row in _texts(chromium, "section.case tbody tr")]
    assert sum("FAULT TA at s1.tool" in row for row in rows) == 1
    assert sum("effects-as-promised" in row for row in rows) == 2
    assert all(width > 0 and height > 0 for width, height in _boxes(chromium, "section.case tr"))
    assert chromium.execute_script(CONTRAST) == []


def test_the_picture_has_a_square_for_each_point_and_names_its_colours(chromium, chaos_page):
    page, points = chaos_page
    chromium.get(page)
    squares = _boxes(chromium, "#chaos svg rect")
    assert len(squares) >= len(points)
    assert all(width >= 3 and height >= 3 for width, height in squares)
    text = chromium.find_element("id", "chaos").text
    for fate in ("clean: as if", "stuck: never", "duplicated: an effect"):
        assert fate in text
    assert chromium.get_log("browser") == []


# Every visible text against the nearest background that is not transparent (WCAG 2, level AA).
CONTRAST = """
const parse = (c) => c.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => {
  for (let at = e; at; at = at.parentElement) {
    const c = parse(getComputedStyle(at).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
const low = [];
for (const e of document.querySelectorAll('body *')) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !e.checkVisibility() || ['SCRIPT', 'NOSCRIPT', 'OPTION', 'TITLE'].includes(e.tagName) || e.closest('svg')) continue;
  const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) low.push([e.tagName, e.className, e.textContent.slice(0, 30), ratio.toFixed(2)]);
}
return low;
"""
