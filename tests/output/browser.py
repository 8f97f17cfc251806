"""Look at a page in headless Chromium."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LOOK = """
<script>
window.addEventListener("load", () => {
  document.querySelectorAll("details").forEach(d => { d.open = true; });
  const acted = (() => {
ACT
  })() || {};
  const page = document.documentElement, seen = {
    width: window.innerWidth,
    page_width: page.scrollWidth,
    broken_images: [...document.images].filter(i => !i.complete || i.naturalWidth === 0).map(i => i.alt),
    sections: [...document.querySelectorAll("main > section")].map(s => s.id),
    acted: acted,
    requests: performance.getEntriesByType("resource").map(e => e.name).filter(name => !name.startsWith("data:")),
    clipped: [...document.querySelectorAll("main *")].filter(
      e => e.getBoundingClientRect().right > window.innerWidth + 1 && !e.closest(".scroll")).map(e => e.tagName),
  };
  parent.postMessage(JSON.stringify(seen), "*");
});
</script>
"""

FRAME = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body><script>
window.addEventListener("message", e => document.documentElement.setAttribute("data-seen", e.data));
</script><iframe src="{page}" width="{width}" height="900" style="border: 0"></iframe></body></html>"""
"""A window narrower than 500 px is not to be had, a frame is."""


@dataclass(frozen=True)
class Seen:
    """What a browser saw of a page, with every fold open."""

    width: int
    page_width: int
    broken_images: list[str]
    sections: list[str]
    clipped: list[str]
    console: list[str]
    acted: dict[str, Any]
    requests: list[str]


def browse(page: Path, width: int, act: str = "") -> Seen:
    """Load a page in a frame of ``width`` px and do what the script ``act`` says, whose result is ``acted``; skips without Chromium."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine: the page was not looked at")
    copy = page.with_name(f"looked_at_{width}.html")
    copy.write_text(
        page.read_text(encoding="utf-8").replace("</body>", LOOK.replace("ACT", act) + "</body>"), encoding="utf-8"
    )
    frame = page.with_name(f"frame_{width}.html")
    frame.write_text(FRAME.format(page=copy.name, width=width), encoding="utf-8")
    profile = page.with_name(f"profile_{width}")
    options = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-dev-shm-usage --enable-logging=stderr "
        "--virtual-time-budget=20000 --hide-scrollbars --window-size=1200,1000"
    )
    done = subprocess.run(
        [chromium, *options.split(), "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", "--dump-dom", frame.as_uri()],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found is not None, "the page did not load"
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Seen(**json.loads(html.unescape(found.group(1))), console=console)
