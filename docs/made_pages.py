"""Pages of the site made from what the repository holds: the public names by wing, module docstrings, the evidence tables."""

import ast
import html
import json
import re
import sys
from collections.abc import Mapping, Sequence
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
        shown = html.escape(r["trial_id"])
        if r["trial_id"] in outcomes.index:
            shown = f'<a href="outcomes.html#{shown}">{shown}</a>'
        name = f'<th scope="row" title="{html.escape(r["citation"])}">{shown}</th>'
        rows.append(f"<tr>{name}{''.join(f'<td>{html.escape(c)}</td>' for c in cells)}<td>{link}</td></tr>")
    table = _table(heads, rows)
    return f"""# The evidence

Every study of the tables, {len(trials)} in all: {int((trials["include"] == "1").sum())} included, the others with the reason. Sort by a
head, filter by typing (`psilocybin TRD`), download as CSV. A trial's name leads to the figures of its arms. What the columns of the tables
mean: [the evidence tables](data.md).

```{{raw}} html
{table}
```
"""


def outcomes_page(data: Path) -> str:
    """Every outcome of every arm with its source; a trial's name is an anchor on its first row."""
    outcomes = pd.read_csv(data / "outcomes.csv", dtype=str, keep_default_na=False)
    arms = pd.read_csv(data / "arms.csv", dtype=str, keep_default_na=False).set_index(["trial_id", "arm_id"])
    heads = ["Trial", "Arm", "Drug", "Dose", "Therapy", "n", "Scale", "Day", "Baseline (SD)", "End (SD)", "Change (SD)", "Responders",
             "Primary", "Included", "Quality", "Source"]  # fmt: skip
    rows, named = [], set()
    for r in outcomes.to_dict("records"):
        trial, arm = r["trial_id"], arms.loc[(r["trial_id"], r["arm_id"])]
        pairs = [f"{r[f'{what}_mean']} ({r[f'{what}_sd']})".replace(" ()", "") for what in ("baseline", "post", "change")]
        cells = [r["arm_id"], arm["drug"], f"{arm['dose']} {arm['dose_unit']}".strip(), arm["psychotherapy"].replace("_", " "), r["n"],
                 r["instrument"], r["time_days"] or r["timepoint"], *pairs, r["responders"], *("yes" if r[c] == "1" else "no" for c in
                 ("primary", "include")), r["evidence_quality"].replace("_", " ")]  # fmt: skip
        source = next((s.strip() for s in r["source_url"].split(" ; ") if s.strip().startswith("http")), "")
        link = f'<a href="{html.escape(source)}">source</a>' if source else html.escape(r["source_url"])
        anchor = "" if trial in named else f' id="{html.escape(trial)}"'
        named.add(trial)
        cell = "".join(f"<td>{html.escape(text)}</td>" for text in cells)
        rows.append(f'<tr><th scope="row"{anchor}>{html.escape(trial)}</th>{cell}<td>{link}</td></tr>')
    return f"""# The figures, arm by arm

Every outcome of every arm as the tables hold it, {len(outcomes)} rows of {len(named)} studies, each with the address it was read at. A
blank is what nobody could read, never zero. Sort by a head, filter by typing (`goodwin2022 MADRS`), download as CSV.
What the columns mean: [the evidence tables](data.md).

```{{raw}} html
{_table(heads, rows)}
```
"""


def claims_page(kept: Path, checksum: str) -> str:
    """The review claim by claim, as the main job last answered; ``checksum`` is that of the evidence as it is now."""
    made_from = json.loads((kept / "claims.json").read_text(encoding="utf-8"))
    table = pd.read_csv(kept / "claims.csv", keep_default_na=False, dtype=str)
    heads = ["The review says", "Its section", "Its references", "Trials", "These trials say", "What identifies it", "How sure"]
    columns = ["section", "references", "trials", "estimate", "identified_by", "certainty"]
    rows = [
        f'<tr><th scope="row">{html.escape(r["says"])}</th>'
        + "".join(f"<td>{html.escape(r[name].replace(';', ', ') if name == 'references' else r[name])}</td>" for name in columns) + "</tr>"
        for r in table.to_dict("records")
    ]  # fmt: skip
    stale = (
        ""
        if made_from["data_checksum"] == checksum
        else "\n**The evidence has changed since: `pillprocess reproduce` gives the answers of today.**\n"
    )
    return f"""# The review, claim by claim

The {len(table)} claims of the review this package answers to, in short, and what its trials say of each: Torrado Pacheco A, Moghaddam B.
*J Clin Invest* 2024;134(12):e180217, [doi:10.1172/JCI180217](https://doi.org/10.1172/JCI180217),
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/); numbers of references are its own. Effects are in reference SDs, negative is
better, with 95 % intervals. Claims about cells and animals point to the references of its Table 1: no human outcome speaks to them here.
What a claim is, and which question answers it, was written by hand (`pillprocess/findings/claims.csv`); every figure is filled from the
tables of `pillprocess reproduce` ({made_from["evidence"]}, seed {made_from["seed"]}).
{stale}
```{{raw}} html
{_table(heads, rows)}
```
"""


def checklist_page(table: Path) -> str:
    """Every item of the reporting guidelines, and the section of the report that answers it, or why none does."""
    items = pd.read_csv(table, dtype=str, keep_default_na=False)
    parts = ["""# Reporting checklists

Each item in short words of our own, not those of the guideline: read the guideline before you submit. Where the report answers an item,
its section is named, and `tables/reporting_record.csv` of a results folder holds what it says, filled from the fits; `pillprocess paper`
puts the whole list into a document. Where it does not, the last column says whether nobody did it or whether it is for the authors. Where
both are given, the analysis may not be possible with the evidence at hand.
"""]
    for name, own in items.groupby("guideline", sort=False):
        rows = []
        for r in own.to_dict("records"):
            cells = "".join(f"<td>{html.escape(r[column])}</td>" for column in ("asks", "section", "open"))
            rows.append(f'<tr><th scope="row">{html.escape(r["item"])}</th>{cells}</tr>')
        made = _table(["Item", "Asks", "Section of the report", "Else"], rows)
        parts += [f"## {name}", "", GUIDELINES[name], "", "```{raw} html", made, "```", ""]
    return "\n".join(parts)


GUIDELINES = {
    "PRISMA-NMA": "Systematic reviews with network meta-analysis: Hutton et al. 2015, [doi:10.7326/M14-2385](https://doi.org/10.7326/M14-2385).",
    "BARG": "Bayesian analyses: Kruschke 2021, [doi:10.1038/s41562-021-01177-7](https://doi.org/10.1038/s41562-021-01177-7).",
    "AGReMA": "Mediation analyses: Lee et al. 2021, [doi:10.1001/jama.2021.14075](https://doi.org/10.1001/jama.2021.14075). The synthesis "
    "answers it; `pillprocess mediate` writes a report by the same items for a trial's own participants. Its checklist could not be read "
    "when this page was written, only that it has 25 items: compare the order and the wording with the guideline.",
}  # fmt: skip


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    """A table that the page's script lets readers sort, filter and download."""
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def keep_claims(results: Path, docs: Path) -> None:
    """Keep what a results folder says of each claim for the site."""
    run = json.loads((results / "run.json").read_text(encoding="utf-8"))
    facts = {
        "data_checksum": run["data_checksum"],
        "seed": run["seed"],
        "evidence": f"edition {run['evidence_version']}",
    }
    (docs / "claims.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (docs / "claims.csv").write_bytes((results / "tables" / "claims.csv").read_bytes())


if __name__ == "__main__":
    keep_claims(Path(sys.argv[1]), Path(__file__).parent)
