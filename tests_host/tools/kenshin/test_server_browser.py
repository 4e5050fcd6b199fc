"""The console in a real browser: from the first link to every page, in both languages."""

import shutil
import time

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from tests_host.tools.kenshin.conftest import LIMIT, Board

from kenshin.server import rollup
from kenshin.server.store import Store, database_url

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
PASSWORD = "correct horse battery"
PHONE, DESKTOP = 375, 1280

# Pixels of the chart that have the colour of its first series.
DRAWN = """
const canvas = document.querySelector("canvas");
if (canvas === null || canvas.width === 0) return 0;
const copy = document.createElement("canvas");
copy.width = canvas.width;
copy.height = canvas.height;
const probe = copy.getContext("2d", { willReadFrequently: true });
probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
probe.fillRect(0, 0, 1, 1);
const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
probe.clearRect(0, 0, 1, 1);
probe.drawImage(canvas, 0, 0);
const data = probe.getImageData(0, 0, copy.width, copy.height).data;
let n = 0;
for (let i = 0; i < data.length; i += 4)
  if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) n++;
return n;
"""
# What sticks out to the right, or 0.
OUTSIDE = """
const all = document.documentElement;
return Math.max(0, all.scrollWidth - window.innerWidth);
"""


@pytest.fixture
def browser(tmp_path):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with its driver on this machine")
    options = Options()
    options.binary_location = CHROMIUM
    for argument in (
        *("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run"),
        *("disable-background-networking", "disable-component-update", "disable-sync"),
        *(f"user-data-dir={tmp_path / 'chromium'}", "accept-lang=en"),
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(LIMIT)
    yield driver
    driver.quit()


def as_device(driver, width, theme):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == PHONE},
    )
    feature = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def fill(driver, action, **fields):
    """Fill a form by what it sends to, and send it; wait for the page that follows."""
    form = driver.find_element(By.CSS_SELECTOR, f'form[method="post"][action="{action}"]')
    for name, value in fields.items():
        driver.execute_script(
            "arguments[0].elements[arguments[1]].value = arguments[2]", form, name, value
        )
    # As a click does, with the browser's own checks, also in a part that is folded away.
    browser_checks = driver.execute_script("return arguments[0].reportValidity()", form)
    assert browser_checks, action
    driver.execute_script("arguments[0].requestSubmit()", form)
    until(driver, lambda _: gone(form))


def gone(element):
    try:
        element.is_enabled()
    except Exception as error:  # noqa: BLE001 - the driver's word for it
        return "stale" in type(error).__name__.lower()
    return False


def until(driver, condition):
    return WebDriverWait(driver, LIMIT, poll_frequency=0.05).until(condition)


def fold(db):
    """What housekeeping does once a minute."""
    store = Store(database_url(str(db)))
    now = int(time.time())
    with store.reading() as connection:
        due = rollup.due(connection, now, 9)
    for gateway_id in due:
        with store.writing() as connection:
            rollup.roll(connection, gateway_id, now)
    store.close()


def test_a_browser_goes_from_the_first_link_through_every_page(start, browser, db, instant, slot):
    server = start()
    link = server.process.stdout.readline().split()[-1]
    browser.get(link)
    form = browser.find_element(By.CSS_SELECTOR, "form.card")
    for name, value in (("name", "Anna"), ("password", PASSWORD), ("again", PASSWORD)):
        form.find_element(By.NAME, name).send_keys(value)
    form.find_element(By.CSS_SELECTOR, "button.main").click()
    until(browser, lambda driver: driver.find_elements(By.CSS_SELECTOR, 'form[action="/logout"]'))
    fill(browser, "/logout")
    fill(browser, "/login", name="Anna", password=PASSWORD)

    browser.get(server.url + "/gateways")
    fill(browser, "/gateways", name="<b>自宅</b> with a name that is rather long", group="house")
    token = browser.find_element(By.CSS_SELECTOR, ".secret code").text
    code = browser.find_element(By.CSS_SELECTOR, "h2.title small").text
    # To load the page again makes no second one, and no second token: the form is not sent again.
    browser.refresh()
    until(browser, lambda driver: not driver.find_elements(By.CSS_SELECTOR, ".secret"))
    assert browser.current_url == f"{server.url}/gateways/{code}"
    board = Board(server.client, code, token)
    now = int(time.time()) // 1800 * 1800
    rows = [slot(n, now - n * 1800, 10**7 - 2500 * n, 5000 - 5 * n) for n in range(150) if n != 9]
    status = {"word": "radio", "code": "too-far", "rssi": -91, "fw": "0.9.1", "uptime": 60}
    meter = {"maker": "000016", "serial": "16A2034567", "unit": 1, "digits": 6}
    board.upload(*rows, slot(400, now, 10**7 - 1), status={**status, "meter": meter})
    board.upload(status={**status, "meter": {**meter, "serial": "22B9900011", "unit": 2}})
    board.upload(*[instant(500 + n, now - 30 * n, 400 + n % 7, current_r=21) for n in range(90)])
    fold(db)
    browser.get(f"{server.url}/gateways/{code}")
    fill(browser, f"/gateways/{code}", contract="40")

    menu = [a.get_attribute("href") for a in browser.find_elements(By.CSS_SELECTOR, ".menu a")]
    assert len(menu) >= 8
    # Of yesterday, and the month and the year that hold it: today may have just begun.
    on = time.strftime("on=%Y-%m-%d", time.gmtime(now + 9 * 3600 - 86_400))
    energy = [
        f"{server.url}/energy/{code}?period={each}&{on}" for each in ("day", "month", "year")
    ]
    others = [f"{server.url}/gateways/{code}"]
    others += [f"{server.url}/groups/1?period={each}&{on}" for each in ("day", "year")]
    charts = {*energy, *others, f"{server.url}/"}
    shown = {}
    for language, theme in (("ja", "dark"), ("en", "light")):
        browser.get(server.url + "/settings")
        fill(browser, "/settings/me", language=language, theme="")
        as_device(browser, DESKTOP, theme)
        for address in [*menu, *energy, *others]:
            browser.get(address)
            assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
            assert browser.find_elements(By.CSS_SELECTOR, "main > *"), address
            for width in (DESKTOP, PHONE):
                as_device(browser, width, theme)
                if address in charts:
                    until(browser, lambda driver: driver.execute_script(DRAWN) > 9)
                assert browser.execute_script(OUTSIDE) == 0, (address, width)
            said = browser.get_log("browser")
            assert said == [], (address, said)
            shown.setdefault(address, set()).add(browser.find_element(By.TAG_NAME, "main").text)
    # Each page says something else in each language.
    assert all(len(texts) == 2 for texts in shown.values())

    # A half-hour is missing: its day has a sum all the same, and says what is grey.
    gap = time.strftime("on=%Y-%m-%d", time.gmtime(now - 10 * 1800 + 9 * 3600))
    browser.get(f"{server.url}/energy/{code}?period=day&{gap}")
    until(browser, lambda driver: driver.execute_script(DRAWN) > 9)
    assert browser.find_element(By.ID, "partial").is_displayed()

    # Another meter is marked where it was told.
    browser.get(f"{server.url}/gateways/{code}")
    browser.get(browser.find_element(By.CSS_SELECTOR, "#meters caption a").get_attribute("href"))
    line = DRAWN.replace("--accent", "--warn")
    until(browser, lambda driver: driver.execute_script(line) > 9)
    assert "22B9900011" in browser.find_element(By.ID, "meters").text

    # What is shown is brought up to date where it stands, as when a phone is taken up again.
    browser.get(others[0])
    chart = until(browser, lambda driver: driver.find_element(By.TAG_NAME, "canvas"))
    assert "0.9.2" not in browser.find_element(By.ID, "facts").text
    board.upload(status={**status, "fw": "0.9.2"})
    browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    # In one step: the part is replaced while it is looked at.
    facts = "return document.getElementById('facts').innerText"
    until(browser, lambda driver: "0.9.2" in driver.execute_script(facts))
    assert chart.is_displayed()
