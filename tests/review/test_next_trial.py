"""The section on the next trial: the review's designs planned with the main job's rows, or the reason why they allow no plan."""

import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.output.pages import estimate, render_page
from pillprocess.review.drawn_curves import assurance_lines
from pillprocess.review.next_trial import next_trial
from tests.synthesis.cases import small_evidence


@pytest.fixture(scope="module")
def rows(build_evidence) -> tuple[pd.DataFrame, pd.DataFrame]:
    evidence = small_evidence(build_evidence)
    arms = pp.arm_changes(evidence)
    return arms, pp.contrasts(evidence, besides=arms)


def page(tables: dict[str, pd.DataFrame]) -> str:
    context: dict[str, object] = {"tables": {name: table.to_dict("records") for name, table in tables.items()}}
    drawn = "next_trial_sizes" in tables
    context["chances"] = assurance_lines(tables["next_trial"], tables["next_trial_sizes"]) if drawn else []
    return render_page("sections/next_trial.html", context, wing="review", writes=estimate)


def test_the_section_ranks_the_review_s_designs_for_the_drug_most_trials_gave(rows):
    tables = next_trial(*rows, seed=1, draws=64)
    assert set(tables["next_trial"]["drug"]) == {rows[0]["study_drug"].value_counts().index[0]}
    sizes = tables["next_trial_sizes"]
    assert sizes["estimand"].drop_duplicates().tolist() == ["mediated", "accounts", "drug:therapy"]
    assert (sizes[sizes["estimand"] == "mediated"]["rank"].diff().dropna() == 1).all()
    text = page(tables)
    assert "experience removed, belief equalised" in text
    assert "nan" not in text
    assert text.count('<figure class="chance"') == 3
    assert text.count('<g class="line"') == len(sizes)


def test_rows_that_allow_no_plan_say_why(rows):
    arms, differences = rows
    tables = next_trial(arms.assign(expectancy=float("nan")), differences, seed=1)
    assert list(tables) == ["next_trial"]
    assert "expectancy is blank or not finite" in page(tables)
