"""Pages of the site made from what the repository holds: the public names by wing, module docstrings, the evidence tables."""

import ast
import html
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd


def linked(page: Path, root: Path, moved: Mapping[str, str]) -> str:
    """A Markdown page of the repository with its links led to the pages of the site; files that are no page are named, not linked."""

    def led(found: re.Match[str]) -> str:
        words, address = found[1], found[2]
        if re.match(r"https?:|#|mailto:", address):
            return found[0]
        path, _, anchor = address.partition("#")
        target = (page.parent / path).resolve().relative_to(root).as_posix()
        if target in moved:
            return f"[{words}](/made/{moved[target]}{'#' + anchor if anchor else ''})"
        if target.startswith("notebooks/") or target == "CITATION.cff":
            return f"[{words}](/made/{target})"
        return f"{words} (`{target}`)"

    return re.sub(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)", led, page.read_text(encoding="utf-8"))


def one_paragraph(lines: list[str]) -> None:
    """Join, in place, the lines of a paragraph under Returns: numpydoc takes each line that is not indented for a value of its own."""
    joined: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        underlined = number + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[number + 1].strip())
        inside = line.strip() == "Returns" if underlined else inside
        continues = inside and joined and joined[-1].strip("- ") and joined[-1][:1] != " " and line[:1] not in ("", " ", "-", ".")
        defines = line.startswith("``") and lines[number + 1 : number + 2] and lines[number + 1][:1] == " "
        if continues and joined[-1] != "Returns" and not underlined and not defines:
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    lines[:] = joined


def api_pages(stub: Path) -> dict[str, str]:
    """A page per wing in the order of the stub, with every public name's docstring, and an index of them."""
    wings: dict[str, tuple[str, list[str]]] = {}
    for line in stub.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"# (\w+): (.*)", line):
            wing = found[1]
            wings[wing] = (found[2], [])
        elif found := re.match(r"from \.\S+ import \w+ as (\w+)", line):
            wings[wing][1].append(found[1])
    pages = {}
    for wing, (words, names) in wings.items():
        title = f"{wing}: {words}"
        parts = [title, "=" * len(title), "", ".. currentmodule:: pillprocess", ""]
        for name in names:
            parts += [_directive(name), ""]
        pages[wing] = "\n".join(parts)
    title = "Reference"
    pages["index"] = "\n".join([title, "=" * len(title), "", "Every public name with its docstring, by wing, in the order of the work.", "",
                                ".. toctree::", "", *(f"   {wing}" for wing in wings), ""])  # fmt: skip
    return pages


def _directive(name: str) -> str:
    """How a public name is shown: a constant (capitals) without its value, a class (a capital), or a function."""
    if name.isupper():
        return f".. autodata:: {name}\n   :no-value:"
    return f".. autoclass:: {name}" if name[0].isupper() else f".. autofunction:: {name}"


def model_page(package: Path) -> str:
    """The module docstrings that say how a model works, wing by wing: those with a formula."""
    title = "How each model works"
    parts = [title, "=" * len(title), "", "The models in formulas, as the modules that hold them state them. The functions' own pages "
             "under :doc:`api/index` give every parameter, prior and reference.", ""]  # fmt: skip
    for wing in sorted(p for p in package.iterdir() if (p / "__init__.py").is_file()):
        modules = []
        for path in sorted(wing.glob("*.py")):
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            if ":math:" in text or ".. math::" in text:
                modules.append(f"{wing.name}.{path.stem}")
        if modules:
            parts += [wing.name, "-" * len(wing.name), ""]
            for module in modules:
                parts += [module, "~" * len(module), "", f".. automodule:: pillprocess.{module}", "   :no-index:", ""]
    return "\n".join(parts)


def evidence_page(data: Path) -> str:
    """The trials of the tables, each with its arms and sources, in a table that sorts and filters."""
    trials = pd.read_csv(data / "trials.csv", dtype=str, keep_default_na=False)
    outcomes = pd.read_csv(data / "outcomes.csv", dtype=str, keep_default_na=False).groupby("trial_id").size()
    arms = pd.read_csv(data / "arms.csv", dtype=str, keep_default_na=False).groupby("trial_id").size()
    doubts = pd.read_csv(data / "doubts.csv", dtype=str, keep_default_na=False).groupby("trial_id").size()
    heads = ["Trial", "Year", "Drugs", "Condition", "Design", "Blinding", "Randomised", "Arms", "Outcome rows", "Doubts", "In", "Source"]
    rows = []
    for r in trials.to_dict("records"):
        source = next((s.strip() for s in r["source_url"].split(" ; ") if s.strip().startswith("http")), "")
        link = f'<a href="{html.escape(source)}">source</a>' if source else ""
        included = "yes" if r["include"] == "1" else f"no: {r['exclude_reason'] or 'not an efficacy trial'}"
        cells = [r["year"], r["study_drugs"].replace(";", ", "), r["condition"], r["design"].replace("_", " "), r["blinding"],
                 r["n_randomised"], *(str(n.get(r["trial_id"], 0)) for n in (arms, outcomes, doubts)), included]  # fmt: skip
        name = f'<th scope="row" title="{html.escape(r["citation"])}">{html.escape(r["trial_id"])}</th>'
        rows.append(f"<tr>{name}{''.join(f'<td>{html.escape(c)}</td>' for c in cells)}<td>{link}</td></tr>")
    table = (
        '<div class="scroll"><table><thead><tr>' + "".join(f'<th scope="col">{h}</th>' for h in heads)
        + "</tr></thead><tbody>" + "".join(rows) + "</tbody></table></div>"
    )  # fmt: skip
    return f"""# The evidence

Every study of the tables, {len(trials)} in all: {int((trials["include"] == "1").sum())} included, the others with the reason. Sort by a
head, filter by typing (`psilocybin TRD`), download as CSV. What the columns of the tables mean: [the evidence tables](data.md).

```{{raw}} html
{table}
```
"""
