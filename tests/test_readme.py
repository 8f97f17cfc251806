"""The README says what is true."""

import re
from pathlib import Path

import matplotlib
import pandas as pd

import pillprocess as pp

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_ten_lines_run_and_their_table_is_the_printed_one(capsys):
    matplotlib.use("Agg")
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    exec(code.group(1), names)
    assert "verdict" in capsys.readouterr().out
    table = pp.effect_table(pp.relative_effects(names["idata"])).set_index(["drug", "therapy"])
    printed = re.findall(
        r"^ *(\w+) +([01]\.0) +(\d+) +(own trials|carried over from other drugs) +(-?\d\.\d\d) +(\d\.\d\d) +(-?\d\.\d\d) +(-?\d\.\d\d)$",
        README,
        re.MULTILINE,
    )
    assert len(printed) == len(table) == 10
    for drug, therapy, trials, evidence, *values in printed:
        own = table.loc[(drug, float(therapy))]
        assert (int(trials), evidence) == (own["trials"], own["evidence"])
        row = own[["mean", "sd", "ci_low", "ci_high"]]
        # Quantiles of 4,000 draws move by about .01 between platforms.
        assert all(abs(float(v) - x) <= 0.021 for v, x in zip(values, row, strict=True)), (drug, therapy)


def test_the_evidence_base_is_counted_right():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    contrasts = pp.contrasts(evidence, besides=arms)
    trials = arms["trial"].nunique() + contrasts["trial"].nunique()
    text = re.sub(r"\s+", " ", README)
    assert f"{trials} trials in the headline model: {len(arms)} arms of {arms['trial'].nunique()} trials" in text
    assert f"with {arms['people'].sum():,.0f} people, and {len(contrasts)} published differences of" in text
    assert f"differences of {contrasts['trial'].nunique()} more" in text


def test_the_quoted_sensitivity_to_belief_is_the_fits():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    contrasts = pp.contrasts(evidence, besides=arms)
    means = []
    for terms in (pp.HEADLINE, pp.HYPOTHESES["pill_and_process"]):
        idata = pp.fit(pp.decomposition_design(arms, contrasts, terms=terms), seed=1)
        means.append(float(idata["posterior"].dataset["delta"].mean()))
    match = re.search(r"shrinks from (-\d\.\d\d) to (-\d\.\d\d)", README)
    assert match is not None
    assert all(abs(float(v) - m) < 0.02 for v, m in zip(match.groups(), means, strict=True))


def test_every_file_the_readme_links_to_is_there():
    links = re.findall(r"\]\(([^)]+)\)", README)
    local = [link for link in links if not link.startswith("http")]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_two_commands_are_the_ones_promised():
    assert "pip install uv && uv run pillprocess reproduce" in README
    assert "uv run pytest" in README
    assert len(README.splitlines()) < 150
    assert isinstance(pp.evidence_counts(pp.load_evidence()), pd.DataFrame)
