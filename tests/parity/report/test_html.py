from __future__ import annotations

import html.parser
import re
import shutil
import subprocess

import pytest

from tests.parity.report.example import KNOWN, WRONG, report

VOID = {"meta", "link", "br", "img", "input", "hr", "rect", "line"}
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


class Reader(html.parser.HTMLParser):
    """Checks that tags close in order, and collects the text."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(made):
    reader = Reader()
    page = made.to_html()
    reader.feed(page)
    assert reader.open == []
    return page, reader, " ".join(" ".join(reader.text).split())


@pytest.mark.parametrize("made", [report(), report(isolated=KNOWN), report(isolated=WRONG, cumulative=WRONG)])
def test_the_page_is_well_formed_and_self_contained(made):
    page, reader, text = read(made)
    assert not re.search(r"(src|href)=", page)
    assert not re.search(r"url\(|@import|<script", page)
    assert "prefers-color-scheme: dark" in page
    assert made.sentence.split(": ", 1)[1] in text
    assert sum(tag == "svg" for tag, _ in reader.tags) == 5 + 2 * 2  # a bar for each row, two histograms for each layer


def test_what_users_name_is_escaped():
    page, _, text = read(report(isolated=WRONG))
    assert "weights <differ>" in text
    assert "weights &lt;differ&gt;" in page
    assert "A CPU &lt;of&gt; some kind" in page


def test_it_tells_verdicts_layers_known_differences_and_the_environment():
    _, _, text = read(report(isolated=KNOWN))
    for part in ("one", "two", "known difference", "gelu tail", "pytorch#187806", "tensorflow 2.21.0", "avx2 fma"):
        assert part in text
    assert "Keras predict not judged: Keras' predict cannot take a batch of 0 rows" in text
    assert "0.50000006 (0x1.0" in text


@pytest.mark.skipif(BROWSER is None, reason="no Chromium to open the page with")
@pytest.mark.parametrize("width", [390, 1240])
def test_a_browser_shows_it(tmp_path, width):
    """The page renders, with nothing wider than the window but what scrolls by itself."""
    page = tmp_path / "r.html"
    probe = (
        "<script>document.title = [document.documentElement.scrollWidth <= window.innerWidth,"
        " document.querySelectorAll('svg.histogram rect').length].join(' ')</script></body>"
    )
    page.write_text(report(isolated=KNOWN).to_html().replace("</body>", probe))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    shot = tmp_path / "shot.png"
    size = f"--window-size={width},1400"
    subprocess.run(
        [*command, size, f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True, timeout=120
    )
    assert shot.stat().st_size > 10_000
    dumped = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    assert "<title>true 40</title>" in dumped
