import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pillprocess.participants.arms import check_person_arms, person_arm_items, person_arms
from pillprocess.participants.table import load_participants
from pillprocess.synthesis.person_arms import recursion_density

EXPERIENCES = {"psilocybin": "mystical", "ketamine": "dissociative"}

GIVEN = pd.DataFrame({"drug": "psilocybin", "dose": [1.0, 0.0], "therapy": 1.0}, index=["drug", "placebo"])


def rows_of_people(n=30, seed=1):
    rng = np.random.default_rng(seed)
    arm = np.repeat(["drug", "placebo"], n)
    meq = np.where(arm == "drug", 60, 10) + rng.normal(0, np.where(arm == "drug", 20, 6))
    return pd.DataFrame({"arm": arm, "meq": meq, "change": -5 - 0.1 * meq + rng.normal(0, 6, 2 * n)})


def people(frame, **roles):
    return load_participants(frame, treatment="arm", reference="placebo", outcome="change", mediators="meq", **roles)


def reduced(frame=None, **roles):
    frame = rows_of_people() if frame is None else frame
    return person_arms(people(frame, **roles), GIVEN, experience="meq", instrument="MEQ30", reference_sd=10.0)


def test_statistics_are_those_of_the_rows():
    frame, table = rows_of_people(), reduced().set_index("arm")
    drug = frame[frame["arm"] == "drug"]
    assert table.loc["drug", "n"] == 30
    assert table.loc["drug", "mean_y"] == pytest.approx(drug["change"].mean() / 10)
    assert table.loc["drug", "r"] == pytest.approx(drug["meq"].corr(drug["change"]))


def test_an_outcome_that_is_good_when_high_changes_sign():
    assert reduced(higher_is_worse=False)["mean_y"].to_numpy() == pytest.approx(-reduced()["mean_y"].to_numpy())


def test_people_who_lack_a_value_are_counted():
    frame = rows_of_people()
    frame.loc[3, "meq"] = np.nan
    assert reduced(frame).attrs["incomplete"] == 1


def test_density_of_the_statistics_is_that_of_the_rows():
    frame = rows_of_people()
    items = person_arm_items([reduced(frame)], dose_shape="linear", experiences=EXPERIENCES)
    data = {c: items[f"person_{c}"].to_numpy() for c in ("n", "mean_s", "mean_y", "ss", "yy", "sy")}
    values = {"mean_s": np.array([2.5, 0.4]), "mean_y": np.array([-1.2, -0.5]), "sigma_s": np.array([1.1, 0.4])}
    got = recursion_density(data, **values, sigma_y=0.7, slope=-0.3).eval()
    unit = frame.loc[frame["arm"] == "drug", "meq"].std()
    for k, arm in enumerate(("drug", "placebo")):
        s, y = frame.loc[frame["arm"] == arm, "meq"] / unit, frame.loc[frame["arm"] == arm, "change"] / 10
        expected = stats.norm.logpdf(s, values["mean_s"][k], values["sigma_s"][k]).sum()
        expected += stats.norm.logpdf(y, values["mean_y"][k] - 0.3 * (s - values["mean_s"][k]), 0.7).sum()
        assert got[k] == pytest.approx(expected, rel=1e-10)


def test_rows_covariances_and_means_with_r_are_the_same_items():
    table = reduced()
    moments = table.assign(
        var_s=table["sd_s"] ** 2, var_y=table["sd_y"] ** 2, cov_sy=table["r"] * table["sd_s"] * table["sd_y"]
    )
    covariances = moments.drop(columns=["sd_s", "sd_y", "r", "open"])
    one, other = (person_arm_items([t], dose_shape="linear", experiences=EXPERIENCES) for t in (table, covariances))
    for name in one.data_vars:
        if one[name].dtype.kind == "f":
            np.testing.assert_allclose(one[name], other[name], rtol=1e-13)


def test_an_arm_that_is_not_described_and_a_mediator_that_is_none_are_errors():
    with pytest.raises(ValueError, match="arms that are not described: placebo; give each its drug, dose and therapy"):
        person_arms(people(rows_of_people()), GIVEN.iloc[:1], experience="meq", instrument="MEQ30", reference_sd=10.0)
    with pytest.raises(ValueError, match="experience = 'cadss'; the mediators are meq"):
        person_arms(people(rows_of_people()), GIVEN, experience="cadss", instrument="CADSS", reference_sd=10.0)


def test_every_problem_of_a_table_is_named():
    table = reduced().assign(
        drug=["psilocybin", "aspirin"], n=[2.0, 30.0], r=[0.2, 1.0], sd_s=[20.0, 0.0], mean_y=[np.nan, -0.5]
    )
    with pytest.raises(ValueError, match="nothing was gathered") as error:
        check_person_arms(table, EXPERIENCES)
    for text in (
        "arm 'placebo': drug = 'aspirin'; it must be one of psilocybin, ketamine, or have an experience in drugs.csv",
        "arm 'drug': mean_y is blank or not finite",
        "arm 'drug': n = 2; at least 3 people are needed", "sd_s = 0, sd_y =", "arm 'placebo': r = 1; it must lie between -1 and 1",
    ):  # fmt: skip
        assert text in str(error.value)


def test_a_table_without_its_columns_a_trial_without_the_drug_and_a_trial_given_twice_are_errors():
    with pytest.raises(ValueError, match="the table of arms lacks drug, r; person_arms"):
        check_person_arms(reduced().drop(columns=["drug", "r"]), EXPERIENCES)
    with pytest.raises(ValueError, match="no arm got the drug"):
        check_person_arms(reduced().assign(dose=0.0), EXPERIENCES)
    table = reduced()
    with pytest.raises(ValueError, match="are given twice; nothing was gathered"):
        person_arm_items([table, table], dose_shape="linear", experiences=EXPERIENCES)
