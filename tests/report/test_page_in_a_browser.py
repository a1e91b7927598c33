"""The page in a real browser: Debian's chromium, from a file, with the network off.

axe-core looks for what keeps people out: in both colour schemes, on a phone and on a desktop, with everything open.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpc_tamper.report.page.page import write_page
from mpc_tamper.runs.network import Network
from mpc_tamper.studies.costs.model import predict
from tests.support.page import data_of, small_folder
from tests.support.places import ROOT
from tests.support.processes import descendants, kept

playwright = pytest.importorskip("playwright.sync_api", reason="install the extra dev, which has a driver and axe-core")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="install the extra dev, which has axe-core")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="install chromium to look at the page in a browser"),
]

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
NO_LIMIT = 0  # in milliseconds; pytest has one
WIDTHS, SCHEMES = {"phone": (360, 740), "desktop": (1440, 900)}, ("light", "dark")
GRAVE = {"serious", "critical"}
OPEN_ALL = """
for (const each of document.querySelectorAll("details")) each.open = true;
const form = document.getElementById("filter");
form.map.value = "";
form.dispatchEvent(new Event("input"));
"""
CHOOSE = """
([latency, rate, choice]) => {
  const form = document.getElementById("network");
  form.latency.value = latency;
  form.rate.value = rate;
  form.choice.value = choice;
  form.dispatchEvent(new Event("input"));
}
"""
TRY = """
document.body.insertAdjacentHTML("beforeend", '<button id="try" onclick="hacked = 1">x</button>');
const script = document.createElement("script");
script.textContent = "hacked = 1";
document.body.append(script);
"""

Open = Callable[..., "playwright.Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    before = set(descendants(os.getpid()))
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS), timeout=NO_LIMIT)
        with kept(set(descendants(os.getpid())) - before):
            yield found
            found.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    write_page(small_folder(folder), folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def look(browser: playwright.Browser) -> Iterator[Open]:
    """look(file, width="phone", scheme="dark"): the page, loaded. What it asks for or complains of fails the test."""
    contexts, asked = [], []

    def load(path: Path, width: str = "desktop", scheme: str = "light") -> playwright.Page:
        across, down = WIDTHS[width]
        context = browser.new_context(
            viewport={"width": across, "height": down}, color_scheme=scheme, reduced_motion="reduce", offline=True
        )
        context.set_default_timeout(NO_LIMIT)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url) if request.url != path.as_uri() else None)
        page.on("console", lambda message: asked.append(message.text))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield load
    for context in contexts:
        context.close()
    assert [each for each in asked if not each.startswith("data:")] == []


def grave(page: playwright.Page) -> list[tuple[str, str]]:
    found = axe.Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in GRAVE]


@pytest.mark.parametrize(("width", "scheme"), list(itertools.product(WIDTHS, SCHEMES)))
def test_nobody_is_kept_out(small: Path, look: Open, width: str, scheme: str) -> None:
    page = look(small, width, scheme)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    page.evaluate(OPEN_ALL)
    assert grave(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS[width][0]
    page.locator(".heat button.cell").nth(6).click()
    assert grave(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS[width][0]


def test_the_page_of_this_repository(look: Open, tmp_path: Path) -> None:
    write_page(ROOT / "results", tmp_path / "report.html")
    page = look(tmp_path / "report.html", "phone", "dark")
    assert grave(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS["phone"][0]


def test_a_cell_is_opened_and_closed_by_keyboard(small: Path, look: Open) -> None:
    page = look(small)
    focused = "document.activeElement.textContent"
    page.locator("#map-0 .scroll").focus()
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "ASR 0.2%acc. 99.0%"
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert page.evaluate(focused) == "rejectedASR 100%"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.locator("#record")
    assert dialog.is_visible()
    assert page.locator("#record-title").text_content() == "Backdoor, 1 pixel"
    assert "--attack backdoor_1 --defence certificate_1" in (page.locator("#record pre").text_content() or "")
    assert page.locator("#record svg").count() == 2
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate(focused) == "rejectedASR 100%"
    page.keyboard.press("Home")
    assert page.evaluate(focused) == "ASR 100%acc. 99.0%"
    page.keyboard.press("Tab")  # out of the table: it is one stop
    assert page.evaluate("document.activeElement.closest('table')") is None


def test_seconds_of_a_network_are_those_of_the_study(small: Path, look: Open) -> None:
    page = look(small)
    costs = data_of(small.read_text(encoding="utf-8"))["costs"]
    for latency, rate, choice in ((0, 0, 0), (8, 5, 0), (13, 10, 1), (3, 8, 2)):
        network = Network("any", costs["latencies"][latency], costs["rates"][rate])
        page.evaluate(CHOOSE, [latency, rate, choice])
        ways = costs["choices"][choice]
        predicted = []
        for way in ways:
            fields = {key: way[key] for key in ("seconds", "bytes_per_party", "rounds")}
            exact = page.evaluate(
                "([network, run]) => predict(network, run)",
                [{"latency_seconds": network.latency_seconds, "bits_per_second": network.bits_per_second}, fields],
            )
            predicted.append(predict(network, **fields))
            assert exact == predicted[-1]
        shown = [text.replace(",", "") for text in page.locator("#ways .total").all_text_contents()]
        assert [float(text) for text in shown] == pytest.approx(predicted, rel=0.006)
    page.locator("[data-latency]").nth(1).click()
    assert "40 ms one way, 100 Mbit/s" in (page.locator("#ways caption").text_content() or "")
    page.locator("input[name=latency]").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("input[name=latency]").get_attribute("aria-valuetext") == "60 ms one way"


def test_the_filter_leaves_what_was_asked_for_and_what_it_is_compared_with(small: Path, look: Open) -> None:
    page = look(small)
    assert page.locator(".map:visible").count() == 1
    page.locator("[name=attack]").select_option("backdoor_4")
    page.locator("[name=defence]").select_option("certificate_1")
    heat = page.locator("#map-0 .heat")
    assert heat.locator("tbody tr:visible").count() == 2
    assert heat.locator("tbody td:visible").count() == 4
    page.locator("[name=outcome]").select_option("false-alarm")
    assert page.locator("#shown").text_content() == "1 of 19 cells"
    page.emulate_media(media="print")
    assert page.locator(".map:visible").count() == 2


def test_colours_can_be_chosen(small: Path, look: Open) -> None:
    page = look(small, scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate(ground) == "rgb(255, 255, 255)" != dark
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(ground) == dark


def test_records_run_nothing(small: Path, look: Open) -> None:
    page = look(small)
    page.evaluate(OPEN_ALL)
    page.locator("#map-1 button.cell").last.click()
    assert "hacked" in (page.locator("#record").text_content() or "")
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("img").count() == 0


def test_the_policy_forbids_what_a_page_could_still_try(small: Path, browser: playwright.Browser) -> None:
    page = browser.new_page()
    page.set_default_timeout(NO_LIMIT)
    page.goto(small.as_uri())
    page.evaluate(f"() => {{ {TRY} }}")
    page.locator("#try").click()
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.evaluate(f"fetch({small.as_uri()!r}).then(() => 'read', () => 'refused')") == "refused"
    page.close()
