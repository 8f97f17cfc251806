"""The evidence map and the network count what the tables hold."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import pillprocess as pp
from pillprocess.decomposition.plot_network import comparison_network
from pillprocess.evidence.coverage import MEASURES


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


@pytest.fixture(scope="module")
def small(build_evidence):
    return build_evidence(
        trials=[
            {"trial_id": "a2020", "n_randomised": 40},
            {"trial_id": "b2021", "design": "single_arm"},
            {"trial_id": "c2022"},
            {"trial_id": "d2023"},
            {"trial_id": "e2024", "study_drugs": "deuterated_psilocin"},
            {"trial_id": "healthy", "population": "healthy"},
        ],
        arms=[
            {"trial_id": "a2020", "arm_id": "drug", "role": "active", "therapy": 1},
            {"trial_id": "a2020", "arm_id": "pill", "role": "inert_placebo", "therapy": 1},
            {"trial_id": "b2021", "arm_id": "drug", "role": "single_arm", "therapy": None, "n": None},
            {"trial_id": "c2022", "arm_id": "one", "role": "active", "study_drug": "ketamine"},
            {"trial_id": "c2022", "arm_id": "two", "role": "active", "study_drug": "esketamine", "therapy": 1},
            {"trial_id": "healthy", "arm_id": "drug", "role": "active"},
        ],
        outcomes=[{"trial_id": "a2020", "arm_id": "drug", "usable": 1}],
        subjective=[{"trial_id": "b2021", "arm_id": "drug", "mean": 3.0}, {"trial_id": "c2022", "arm_id": "one"}],
        expectancy=[{"trial_id": "a2020", "arm_id": "drug"}],
    )


def test_a_map_has_a_row_per_trial_of_patients_and_drug_with_what_was_found(small):
    table = pp.evidence_map(small).set_index(["trial", "drug"])
    assert table.index.tolist() == [
        ("a2020", "psilocybin"), ("b2021", "psilocybin"), ("c2022", "ketamine"), ("c2022", "esketamine"),
    ]  # fmt: skip
    assert table["comparator"].tolist() == ["inert placebo", "no control", "another treatment", "another treatment"]
    assert table["therapy"].tolist() == ["with", "not reported", "without", "with"]
    np.testing.assert_array_equal(table["n"], [40, np.nan, 40, 40])
    found = {(row[0][0], m) for row in table.iterrows() for m in MEASURES if row[1][m]}
    assert found == {("a2020", "change"), ("a2020", "guess"), ("b2021", "acute")}


def test_trials_without_an_arm_in_the_tables_are_named_not_dropped(small):
    assert pp.evidence_map(small).attrs["no_row"] == {"d2023": "psilocybin", "e2024": "deuterated_psilocin"}
    for drug, named in ((None, "d2023, e2024"), ("psilocybin", "d2023")):
        note = pp.plot_evidence_map(small, drug=drug).texts[-1].get_text().replace("\n", " ")
        assert note.endswith(f"in the tables; not drawn, no arm of these drugs in the tables: {named}")
    assert "not drawn" not in pp.plot_evidence_map(small, drug="ketamine").texts[-1].get_text()


@pytest.mark.parametrize("width", ["one_column", "two_column"])
def test_a_map_by_group_prints_the_numbers_of_trials(small, width):
    ax = pp.plot_evidence_map(small, width=width)
    ax.figure.canvas.draw()
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels[0] == "psilocybin: k = 2, n = 40+"
    assert labels[1] == {"one_column": "T", "two_column": "with therapy"}[width] + " v inert placebo (1, 40)"
    assert [t.get_text() for t in ax.texts[:-1]] == ["1", "1", "1"]
    assert ax.figure.get_figwidth() * 25.4 == pytest.approx({"one_column": 89, "two_column": 183}[width])


def test_a_map_by_trial_has_a_square_per_kind_of_figure(small, save_figure):
    ax = pp.plot_evidence_map(small, by="trial", drug="psilocybin")
    save_figure(ax)
    assert [t.get_text() for t in ax.get_yticklabels()][1:] == [
        "a2020  inert placebo  T  n = 40", "b2021  no control  ?  n = ?",
    ]  # fmt: skip
    assert sum(line.get_marker() == "s" for line in ax.lines) == 3


def test_a_map_of_what_is_not_there_is_refused(small):
    with pytest.raises(ValueError, match="by = 'arm'; it must be 'group' or 'trial'"):
        pp.plot_evidence_map(small, by="arm")
    with pytest.raises(ValueError, match="drug = 'MDMA': no trial; the drugs are psilocybin, ketamine, esketamine"):
        pp.plot_evidence_map(small, drug="MDMA")


def rows_of_three_trials(arm_row):
    import pandas as pd

    return pd.DataFrame(
        [
            arm_row("a", "high", -1.0, 0.2, dose=1.0, therapy=1.0, n=20),
            arm_row("a", "middle", -0.8, 0.2, dose=0.5, therapy=1.0, n=10),
            arm_row("a", "low", -0.2, 0.2, dose=0.1, therapy=1.0, role="low_dose", n=15),
            arm_row("b", "drug", -1.0, 0.2, dose=1.0, therapy=1.0, n=8),
            arm_row("b", "wait", 0.0, 0.2, waitlist=1.0, role="waitlist", n=9),
            arm_row("alone", "drug", -1.0, 0.2, dose=1.0, therapy=1.0, role="single_arm", n=12),
        ]
    )


def test_a_network_counts_trials_and_people_between_nodes(arm_row, contrast_row):
    import pandas as pd

    arms = rows_of_three_trials(arm_row)
    contrasts = pd.DataFrame(
        [
            contrast_row("c", "drug", "pill", -0.5, 0.2, dose=1.0, therapy=1.0, reference={"therapy": 1.0}),
            contrast_row("d", "drug", "small", -0.5, 0.2, n=(8, 4), dose=1.0, therapy=1.0, reference={"dose": 0.1, "therapy": 1.0}),
        ]
    )  # fmt: skip
    nodes, edges, uncontrolled = comparison_network(arms, contrasts)
    assert uncontrolled == 1
    drug = nodes.set_index("node").loc["psilocybin + therapy"]
    assert (drug["k"], drug["n"], drug["lacking"]) == (4, 46, True)
    pairs = edges.set_index(["start", "end"])
    low = pairs.loc[("low-dose psilocybin + therapy", "psilocybin + therapy")]
    assert (low["k"], low["n"], low["lacking"], low["drug"]) == (2, 57, False, "psilocybin")
    assert pairs.loc[("psilocybin + therapy", "waiting list"), "n"] == 17
    assert pairs.loc[("control + therapy", "psilocybin + therapy"), "lacking"]
    assert len(pairs) == 3


@pytest.mark.parametrize("width", ["one_column", "two_column"])
def test_a_network_names_its_nodes_and_prints_k_and_n(arm_row, width, save_figure):
    ax = pp.plot_network(rows_of_three_trials(arm_row), width=width)
    save_figure(ax)
    texts = " ".join(t.get_text() for t in ax.texts).replace("\n", " ")
    assert "low-dose psilocybin + therapy k = 1, n = 15" in texts
    assert {"one_column": "1 (45)", "two_column": "k = 1, n = 45"}[width] in texts
    assert "1 trials without a comparison" in texts


def test_a_network_without_a_comparison_is_refused(arm_row):
    arms = rows_of_three_trials(arm_row).query("trial == 'alone'")
    with pytest.raises(ValueError, match="no trial in the table compares two treatments; there is no network to draw"):
        pp.plot_network(arms)


def test_no_numbers_of_the_evidences_network_stand_on_each_other():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    for width in ("one_column", "two_column"):
        ax = pp.plot_network(arms, pp.contrasts(evidence, besides=arms), width=width)
        ax.figure.canvas.draw()
        boxes = [t.get_window_extent() for t in ax.texts]
        assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if a.overlaps(b)]
