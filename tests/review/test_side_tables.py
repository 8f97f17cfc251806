"""Tables beside the headline in the report: filled, and with the reason in their place."""

import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.output.pages import estimate, render_page
from pillprocess.review.report import SECTIONS, SETTING
from pillprocess.review.side_tables import moderators, side_tables


def page(name: str, **tables: pd.DataFrame) -> str:
    records = {key: table.to_dict("records") for key, table in tables.items()}
    context = {"tables": records, "setting": SETTING, "bias_note": "no such rows"}
    return render_page(f"sections/{name}.html", context, wing="review", writes=estimate)


def small(build_evidence, **cells):
    """A drug and a placebo in a trial without therapy, of which no source says anything about bias."""
    arms = [{"role": "active", "drug": "psilocybin", "dose_mg_equiv": 25}, {"role": "inert_placebo", "drug": "placebo"}]
    return build_evidence(
        trials=[{"trial_id": "one"}],
        arms=[{"trial_id": "one", "arm_id": a, "therapy": 0} | cells for a, cells in zip(("drug", "placebo"), arms, strict=True)],
        outcomes=[
            {"trial_id": "one", "arm_id": a, "n": 40, "change_mean": y, "change_sd": 8} | cells
            for a, y in (("drug", -12), ("placebo", -6))
        ],
    )  # fmt: skip


def test_a_table_that_the_evidence_does_not_allow_gives_its_reason(build_evidence):
    evidence = small(build_evidence)
    arms = pp.arm_changes(evidence)
    found = side_tables(evidence, arms, pp.contrasts(evidence, besides=arms), seed=1)
    assert found["therapy_types"]["reason"].tolist() == ["no row has therapy: there are no types to compare"]
    assert found["bias_moderators"]["reason"].tolist() == ["no source speaks of a risk of bias"]
    assert found["responders"]["note"].iloc[0].startswith("no control arm of its trials counted responders")
    assert found["counted_alone"].empty
    assert "no source speaks of a risk of bias" in page("bias", bias_moderators=found["bias_moderators"])
    responders = page("responders", responders=found["responders"], counted_alone=found["counted_alone"])
    assert "no control arm of its trials counted responders" in responders
    assert "Arms without a mean" not in responders
    with pytest.raises(ValueError, match="no source speaks of a risk of bias"):
        moderators(evidence)


def test_the_sections_show_rates_numbers_needed_and_moderators(build_evidence):
    evidence = small(build_evidence, responders=12)
    table = pp.response_table(evidence)
    counted = pd.DataFrame(
        [{"trial": "two", "arm": "a", "drug": "LSD", "n": 20, "responders": 4, "counted": "response", "control": "no or low dose",
          "enters": "by the sampler"}]
    )  # fmt: skip
    text = page("responders", responders=table, counted_alone=counted)
    assert f"{table['nnt'].iloc[0]:.1f}, no limits" in text
    known = page("responders", responders=table.assign(nnt_low=3.0, nnt_high=9.0), counted_alone=counted)
    assert f"{table['nnt'].iloc[0]:.1f} [3.0, 9.0]" in known
    assert "by the sampler" in text
    row = pp.bias_moderators(pp.load_evidence(), domains=("sponsor",))
    blank = pd.DataFrame(
        [{"domain": "early_stopping", "present": 0, "absent": 3, "unsaid": 1, "against": "", "verdict": "nothing"}]
    )
    text = page("bias", bias_moderators=pd.concat([row, blank], ignore_index=True))
    assert estimate(row.iloc[0].to_dict()) in text
    assert "early stopping" in text
    assert "nan" not in text


def test_every_section_of_the_report_has_its_file():
    from importlib.resources import files

    folder = files("pillprocess.review") / "templates" / "sections"
    assert all((folder / f"{name}.html").is_file() for name, _ in SECTIONS)
