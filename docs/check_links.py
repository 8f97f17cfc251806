"""Whether the built site's links lead somewhere: pages, anchors and images within it; with --external, addresses elsewhere too.

``python docs/check_links.py docs/_build/html`` needs no network. ``--external`` asks every address once and prints those that do not
answer; what refuses robots (401, 403, 405, 429) is named, for somebody to look at by hand, and is no failure.
"""

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urlsplit
from urllib.request import Request, urlopen

REFUSED = (401, 403, 405, 429)


class Page(HTMLParser):
    """The names and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect ids, addresses and sources."""
        for name, value in attrs:
            if value is None:
                continue
            if name in ("id", "name"):
                self.names.add(value)
            if (name == "href" and tag in ("a", "link", "area")) or (
                name == "src" and tag in ("img", "script", "iframe", "source")
            ):
                self.links.add(value)


def broken_links(site: Path) -> list[str]:
    """Links of a site to pages, anchors and files that are not in it."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        for link in sorted(page.links):
            address, anchor = urldefrag(link)
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            target = (path.parent / unquote(urlsplit(address).path)).resolve() if urlsplit(address).path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                broken.append(f"{path.relative_to(site.resolve())}: {link} leads to no file")
            elif anchor and target in pages and unquote(anchor) not in pages[target].names:
                broken.append(f"{path.relative_to(site.resolve())}: {link} leads to no anchor")
    return broken


def external_links(site: Path) -> list[str]:
    """Addresses outside the site that its pages link to."""
    links = {link for path in site.rglob("*.html") for link in Page(path.read_text(encoding="utf-8")).links}
    return sorted({urldefrag(link)[0] for link in links if urlsplit(link).scheme in ("http", "https")})


def answer(address: str, *, seconds: float = 20) -> int | str:
    """The status an address answers with, or why it does not."""
    try:
        with urlopen(Request(address, headers={"User-Agent": "Mozilla/5.0 (link check)"}), timeout=seconds) as reply:
            return int(reply.status)
    except HTTPError as error:
        return error.code
    except (OSError, HTTPException, ValueError) as error:
        return str(error) or type(error).__name__


def unanswered(addresses: Iterable[str]) -> tuple[list[str], list[str]]:
    """Addresses that fail, and those that refuse robots, each with the reason."""
    addresses = list(addresses)
    with ThreadPoolExecutor(8) as pool:
        said = dict(zip(addresses, pool.map(answer, addresses), strict=True))
    refused = [f"{address}: {status}" for address, status in said.items() if status in REFUSED]
    failed = [f"{a}: {s}" for a, s in said.items() if s not in REFUSED and not (isinstance(s, int) and s < 400)]
    return failed, refused


def main(arguments: list[str]) -> int:
    """Print what is broken; 1 if anything is."""
    site = Path(next(argument for argument in arguments if not argument.startswith("--")))
    problems = broken_links(site)
    if "--external" in arguments:
        failed, refused = unanswered(external_links(site))
        problems += failed
        print(*(f"look by hand: {line}" for line in refused), sep="\n")
    print(*problems, sep="\n")
    print(f"{len(list(site.rglob('*.html')))} pages, {len(problems)} broken links")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
