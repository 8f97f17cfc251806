"""The look that the report's test takes in a browser sees what is wrong with a page."""

import pytest

from tests.output.browser import browse

PAGE = """<!doctype html><html><head><meta name="viewport" content="width=device-width"></head><body><main><section id="answer">
<div style="width:700px">wide</div><img src="data:image/png;base64,AAAA" alt="broken">
<img src="http://nowhere.invalid/x.png" alt="fetched"><script>console.error("oh")</script>
</section></main></body></html>"""


@pytest.mark.slow
def test_a_page_that_scrolls_sideways_lacks_an_image_and_errs_is_seen_to(tmp_path):
    (tmp_path / "bad.html").write_text(PAGE, encoding="utf-8")
    seen = browse(tmp_path / "bad.html", 390)
    assert seen.width == 390
    assert seen.page_width > 700
    assert seen.clipped == ["DIV"]
    assert seen.broken_images == ["broken", "fetched"]
    assert seen.requests == ["http://nowhere.invalid/x.png"]
    assert any("oh" in line for line in seen.console)
    assert seen.sections == ["answer"]
