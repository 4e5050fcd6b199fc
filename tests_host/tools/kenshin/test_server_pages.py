"""The list of gateways and the page of energy."""

import re

import pytest

T0 = 1_795_392_000


@pytest.fixture
def fleet(lab, instant):
    """well, trouble, silent, never; and one whose name is markup."""
    boards = {name: lab.board(name) for name in ("well", "trouble", "silent", "never", "<b>x</b>")}
    boards["silent"].upload(instant(1))
    lab.now += 1000
    boards["well"].upload(instant(1), status={"word": None, "fw": "0.9.1", "rssi": -71})
    boards["trouble"].upload(instant(1), status={"word": "radio", "code": "too-far"})
    return boards


def names(page):
    return re.findall(r'<a href="/gateways/\w+">([^<]*)</a>', page.text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["&lt;b&gt;x&lt;/b&gt;", "never", "silent", "trouble", "well"]),
        ("?state=well", ["well"]),
        ("?state=trouble", ["trouble"]),
        ("?state=silent", ["silent"]),
        ("?state=never", ["&lt;b&gt;x&lt;/b&gt;", "never"]),
        ("?q=WEL", ["well"]),
        ("?q=NEVE&state=never", ["never"]),
        ("?q=%25", []),  # a percent sign is a percent sign
        ("?q=nothing", []),
    ],
)
def test_gateways_are_found_by_words_and_state(lab, fleet, query, found):
    page = lab.client.get("/gateways" + query)
    assert page.status_code == 200
    assert names(page) == found
    if not found:
        assert "Nothing found" in page.text


def test_a_gateway_is_found_by_its_code_and_says_how_it_is(lab, fleet):
    page = lab.client.get("/gateways", params={"q": fleet["well"].code})
    assert names(page) == ["well"]
    for words in ("\u221271 dBm", "0.9.1", 'class="dot good"', "2026-11-23 09:16"):
        assert words in page.text
    page = lab.client.get("/gateways", params={"q": "trouble"})
    assert "The radio link to the meter is down" in page.text


def test_thousands_of_gateways_come_page_by_page(lab, monkeypatch):
    from kenshin.server import routes_gateways

    monkeypatch.setattr(routes_gateways, "_PAGE", 3)
    for n in range(7):
        lab.board(f"home {n}")
    found, path = [], "/gateways?q=home"
    sizes = []
    while path:
        page = lab.client.get(path)
        sizes.append(len(names(page)))
        found += names(page)
        more = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = more and more[1].replace("&amp;", "&")
    assert sizes == [3, 3, 1]
    assert found == [f"home {n}" for n in range(7)]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_of_energy_leads_through_time(lab, board, language):
    header = {"Accept-Language": language}
    page = lab.client.get(f"/energy/{board.code}?period=day&on=2026-11-20", headers=header)
    assert page.status_code == 200
    assert 'data-on="2026-11-20"' in page.text and 'data-period="day"' in page.text
    assert f"gateway={board.code}&amp;month=2026-11" in page.text
    assert page.text.count('aria-current="page"') == 2
    assert lab.client.get("/energy").url.path == f"/energy/{board.code}"


@pytest.mark.parametrize(
    "path", ["/energy/pswnothere1", "/energy/x", "/energy/{}?period=week", "/energy/{}?on=today"]
)
def test_what_is_not_there_is_told(lab, board, path):
    assert lab.client.get(path.format(board.code)).status_code == 404


@pytest.mark.parametrize("path", ["/gateways?state=lost", "/gateways?q=" + "x" * 61])
def test_wrong_words_for_the_list_are_told(lab, path):
    assert lab.client.get(path).status_code == 422


def test_odd_addresses_of_pages_are_no_mistake_of_the_server(lab):
    span = "from=2026-11-01&to=2026-11-02&kind=half-hour"
    for path in (
        *(f"/exports/file?{span}&{what}" for what in ("gateway=%00", "group=%00", "gateway=%FF")),
        *("/exports?gateway=%00&group=%00", "/gateways?q=%00", "/gateways?after=%00"),
        *("/groups/1?after=%00", "/groups/2147483647", "/energy/psw00000000?on=0001-01-01"),
        *("/login?to=%00", "/welcome/%00", "/alerts?before=9", "/gateways/psw%00000000"),
        *("/energy/%00", "/people?done=%00"),
    ):
        assert lab.client.get(path).status_code in (200, 404, 422), path
