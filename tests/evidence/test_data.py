"""The embedded evidence: keys, sources, the review's trials, doses, doubts, references."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"

KEYS = {
    "trials": ["trial_id"],
    "arms": ["trial_id", "arm_id"],
    "outcomes": ["trial_id", "arm_id", "instrument", "time_days", "timepoint"],
    "contrasts": [
        "trial_id", "arm_id", "reference_arm_id", "instrument", "outcome_type", "time_days", "timepoint", "effect_type",
        "basis", "subgroup",
    ],
    "subjective": ["trial_id", "arm_id", "instrument", "time_note", "value_type"],
    "associations": [
        "trial_id", "arm_id", "label", "predictor_instrument", "outcome_instrument", "outcome_metric", "time_days",
        "statistic", "origin",
    ],
    "expectancy": ["trial_id", "arm_id", "measure", "timing", "label"],
    "mediation": ["trial_id", "treatment", "mediator_instrument", "outcome_instrument", "time_days", "adjusted_for", "origin"],
    "therapy": ["trial_id", "row"],
    "instruments": ["instrument"],
    "reference_doses": ["drug", "route", "dose_column"],
    "drugs": ["drug"],
    "editions": ["version"],
    "pooled_effects": ["meta_id", "comparison", "effect_type"],
    "acute_contrasts": ["trial_id", "arm_id", "reference_arm_id", "instrument"],
    "scale_bridge": ["source", "drug", "scale_a", "scale_b"],
    "preclinical": ["drug", "level", "effect"],
    "therapy_priors": ["condition", "comparator"],
    "process_priors": ["term", "manipulation"],
    "risk_of_bias": ["trial_id", "domain"],
    "doubts": ["trial_id", "doubt"],
}  # fmt: skip

NOT_A_FIGURE = {
    "include",
    "include_arm",
    "primary",
    "usable",
    "published",
    "present",
    "retracted",
    "significant",
    "awake",
    "row",
    "year",
    "seed_ref",
}

# Reference numbers in Torrado Pacheco & Moghaddam 2024 of its clinical trials, their follow-ups, and its reviews of the drugs in patients.
CITED = {
    1: "andersen2021_review", 2: "reiff2020_review", 4: "luoma2020_meta", 21: "mithoefer2011",
    24: "mithoefer2019_pooled", 25: "otalora2018", 26: "mithoefer2013_ltfu", 27: "mitchell2023",
    28: "mitchell2021", 30: "rucker2016_review", 31: "grob2011", 32: "griffiths2016", 33: "ross2016",
    34: "carhartharris2016", 35: "davis2021", 36: "daws2022", 37: "goodwin2022", 38: "raison2023",
    39: "gukasyan2022", 40: "carhartharris2021", 41: "krebs2012", 42: "bogenschutz2015", 43: "bogenschutz2022",
    44: "johnson2017", 45: "johnson2014", 46: "khorramzadeh1973", 48: "berman2000", 49: "kryst2020_meta",
    50: "daly2018", 51: "daly2019", 52: "anand2023", 53: "reif2023", 54: "alnefeesi2022_meta",
    56: "mathai2020_review", 57: "dore2019", 58: "lii2023", 59: "joneborg2022_review", 60: "griffiths2006_healthy",
    76: "doss2021",
}  # fmt: skip

# Table 1 of the review: effects per drug and level.
TABLE_1 = {
    ("ketamine", "cellular"): 3, ("ketamine", "circuit"): 6, ("ketamine", "behavioural"): 3,
    ("psilocybin", "cellular"): 3, ("psilocybin", "circuit"): 4, ("psilocybin", "behavioural"): 3,
    ("MDMA", "cellular"): 1, ("MDMA", "circuit"): 4, ("MDMA", "behavioural"): 4,
}  # fmt: skip

# Known from a sponsor, the press, a congress abstract or a web page alone.
UNPUBLISHED = {"comp005", "comp006", "emerge2026", "krempien2023", "mp4_canada", "mp9_israel"}

DRUGS = ["psilocybin", "LSD", "MDMA", "ketamine", "esketamine"]

ADDRESS = re.compile(r"(https?://[\w.-]+\.[a-z]{2,}|https?://\d{1,3}(\.\d{1,3}){3}(:\d+)?)(/\S*)?")


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(DATA / f"{name}.csv", keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def trials() -> pd.DataFrame:
    return read("trials").set_index("trial_id")


@pytest.mark.parametrize("name", KEYS)
def test_each_table_is_clean_text_with_one_row_per_key(name: str) -> None:
    raw = (DATA / f"{name}.csv").read_bytes()
    table = pd.read_csv(DATA / f"{name}.csv", keep_default_na=False, dtype=str)
    duplicated = table[table.duplicated(KEYS[name], keep=False)]
    untrimmed = [column for column in table if (table[column] != table[column].str.strip()).any()]
    assert b"\r" not in raw
    assert raw.decode("utf-8").endswith("\n")
    assert len(table) > 0
    assert duplicated.empty, duplicated[KEYS[name]].to_string()
    assert not untrimmed


def test_every_file_of_the_folder_is_known() -> None:
    assert {path.stem for path in DATA.glob("*.csv")} == set(KEYS)


@pytest.mark.parametrize("name", sorted(set(KEYS) - {"instruments", "doubts", "drugs", "editions"}))
def test_every_row_with_a_figure_names_the_address_it_was_read_at(name: str) -> None:
    table = read(name)
    figures = [c for c in table.select_dtypes("number") if c not in NOT_A_FIGURE]
    has_figure = table[figures].notna().any(axis=1) if name != "preclinical" else pd.Series(True, index=table.index)
    assert has_figure.any()
    for row in table[has_figure].itertuples():
        addresses = str(row.source_url).split(" ; ")
        wrong = [a for a in addresses if not ADDRESS.fullmatch(a)]
        assert not wrong, f"{name}.csv line {row.Index + 2}: {wrong}"


def test_reference_sds_are_the_pooled_sds_of_the_outcomes() -> None:
    pooled = read("trials").dropna(subset="counted_in")["trial_id"]
    arms = read("arms").query("include_arm == 1")[["trial_id", "arm_id"]]
    arms = arms[~arms["trial_id"].isin(pooled)]
    outcomes = read("outcomes").query("include == 1").merge(arms)
    primary_time = outcomes[outcomes["primary"] == 1].groupby("trial_id")["time_days"].first()
    outcomes["distance"] = (outcomes["time_days"] - outcomes["trial_id"].map(primary_time)).abs()
    nearest = outcomes.sort_values(["primary", "distance"], ascending=[False, True], kind="stable")
    instruments = read("instruments").query("kind != 'event'").set_index("instrument")
    for column, source in {
        "reference_sd": "post_sd",
        "baseline_sd": "baseline_sd",
        "change_sd": "change_sd_derived",
    }.items():
        rows = nearest[nearest[source].notna() & (nearest["n"] > 1)].drop_duplicates(
            ["instrument", "trial_id", "arm_id"]
        )
        weight = rows["n"] - 1
        sums = (
            pd.DataFrame({"instrument": rows["instrument"], "w": weight, "wss": weight * rows[source] ** 2})
            .groupby("instrument")
            .sum()
        )
        expected = np.sqrt(sums["wss"] / sums["w"]).reindex(instruments.index)
        np.testing.assert_allclose(instruments[column], expected, atol=6e-5, err_msg=column)


@pytest.mark.parametrize(("number", "trial"), CITED.items())
def test_every_trial_the_review_cites_has_its_row(trials: pd.DataFrame, number: int, trial: str) -> None:
    row = trials.loc[trial]
    assert row["seed_ref"] == number
    assert pd.notna(row["use"])
    assert pd.notna(row["citation"])
    assert (row["include"] == 1) == pd.isna(row["exclude_reason"])


def test_no_other_row_claims_a_reference_number_of_the_review(trials: pd.DataFrame) -> None:
    numbered = trials["seed_ref"].dropna().astype(int)
    assert {number: trial for trial, number in numbered.items()} == CITED


def test_excluded_trials_have_a_reason_and_included_ones_have_none(trials: pd.DataFrame) -> None:
    assert trials["include"].isin([0, 1]).all()
    assert list(trials.index[trials["exclude_reason"].isna()]) == list(trials.index[trials["include"] == 1])
    assert (trials.loc[trials["include"] == 0, "use"] == "none").all()


def test_no_included_trial_is_retracted(trials: pd.DataFrame) -> None:
    assert trials["retracted"].sum() == 2
    assert not (trials.loc[trials["include"] == 1, "retracted"] == 1).any()


def test_unpublished_randomised_results_are_in_and_marked(trials: pd.DataFrame) -> None:
    included = trials[trials["include"] == 1]
    assert included["published"].isin([0, 1]).all()
    assert set(included.index[included["published"] == 0]) == UNPUBLISHED
    contrasts = read("contrasts")
    topline = contrasts[contrasts["trial_id"].isin(["comp005", "comp006"])].set_index("trial_id")
    assert (topline["include"] == 1).all()
    assert topline["estimate"].to_dict() == {"comp005": -3.6, "comp006": -3.8}
    press = contrasts[(contrasts["basis"] == "press") & (contrasts["include"] == 1) & (contrasts["primary"] == 1)]
    assert set(press["trial_id"]) <= UNPUBLISHED


def test_overlaps_name_trials_of_the_table(trials: pd.DataFrame) -> None:
    named = trials["overlaps_with"].dropna().str.split(";").explode()
    assert set(named) <= set(trials.index)
    assert not (named == named.index).any()
    assert trials.loc["gukasyan2022", "overlaps_with"] == "davis2021"


@pytest.mark.parametrize("name", [n for n, key in KEYS.items() if key[0] == "trial_id" and n != "trials"])
def test_every_trial_and_arm_named_in_a_table_exists(trials: pd.DataFrame, name: str) -> None:
    table = read(name)
    assert set(table["trial_id"]) <= set(trials.index)
    if "arm_id" in table:
        known = set(read("arms")[["trial_id", "arm_id"]].itertuples(index=False, name=None))
        named = table[table["arm_id"] != "all"][["trial_id", "arm_id"]].itertuples(index=False, name=None)
        assert set(named) <= known


def test_excluded_trials_carry_no_included_outcome_or_contrast(trials: pd.DataFrame) -> None:
    excluded = set(trials.index[trials["include"] == 0])
    for name in ("outcomes", "contrasts", "subjective", "associations", "mediation"):
        table = read(name)
        assert not set(table.loc[table["include"] == 1, "trial_id"]) & excluded, name


def test_reference_doses_cover_every_included_active_arm_of_patients_that_has_a_dose(trials: pd.DataFrame) -> None:
    patients = trials.index[(trials["include"] == 1) & (trials["population"] == "patients")]
    arms = read("arms").query("include_arm == 1")
    arms = arms[arms["trial_id"].isin(patients) & arms["drug"].isin(DRUGS) & arms["dose"].notna()]
    matched = arms.merge(read("reference_doses"), on=["drug", "route"], how="left", suffixes=("", "_reference"))
    assert len(matched) == len(arms) == 141
    for row in matched.to_dict("records"):
        assert isinstance(row["dose_column"], str), (
            f"{row['trial_id']} {row['arm_id']}: no reference dose of {row['drug']} {row['route']}"
        )
        assert 0 < row[row["dose_column"]] / row["dose_reference"] <= 2, f"{row['trial_id']} {row['arm_id']}"


def test_reference_doses_are_those_of_the_design() -> None:
    doses = read("reference_doses").set_index(["drug", "route"])
    assert doses.loc[("psilocybin", "oral"), ["dose", "dose_unit", "dose_column"]].tolist() == [
        25,
        "mg",
        "dose_mg_equiv",
    ]
    assert doses.loc[("MDMA", "oral"), ["dose", "dose_unit", "dose_column"]].tolist() == [125, "mg", "dose_mg_equiv"]
    assert doses.loc[("LSD", "oral"), ["dose", "dose_unit", "dose_column"]].tolist() == [0.2, "mg", "dose_mg_equiv"]
    assert doses.loc[("ketamine", "iv"), ["dose", "dose_unit", "dose_column"]].tolist() == [
        0.5,
        "mg/kg",
        "dose_mg_per_kg",
    ]
    assert doses.loc[("esketamine", "intranasal"), ["dose", "dose_unit", "dose_column"]].tolist() == [
        84,
        "mg",
        "dose_mg_equiv",
    ]


def test_doses_in_mg_follow_from_the_dose_and_its_unit() -> None:
    arms = read("arms")
    arms = arms[arms["drug"].isin(["psilocybin", "LSD", "MDMA"]) & arms["dose"].notna()]
    factor = arms["dose_unit"].map({"mg": 1.0, "mg/70kg": 1.0, "mg/kg": 70.0, "ug": 0.001})
    np.testing.assert_allclose(arms["dose_mg_equiv"], arms["dose"] * factor, rtol=1e-9)


def test_a_dose_has_a_unit_and_a_unit_has_a_dose() -> None:
    arms = read("arms")
    bare = arms[
        arms["dose_unit"].isna() & arms["dose"].notna()
        | arms["dose_unit"].notna() & arms["dose"].isna() & arms["dose_text"].isna()
    ]
    assert bare.empty, bare[["trial_id", "arm_id", "dose", "dose_unit"]].to_string()


def test_table_1_of_the_review_has_all_its_effects() -> None:
    table = read("preclinical")
    assert table.groupby(["drug", "level"]).size().to_dict() == TABLE_1
    assert table["seed_refs"].astype(str).str.fullmatch(r"\d+(;\d+)*").all()
    striatum = table[table["effect"].str.contains("striatum")].iloc[0]
    prefrontal = table[table["effect"].str.contains("prefrontal cortex and dorsal raphe")].iloc[0]
    assert (striatum["direction"], prefrontal["direction"]) == ("increase", "decrease")
    assert striatum["seed_refs"] == prefrontal["seed_refs"] == "122;123;124;125"


def test_doubts_are_sentences_with_a_kind_and_a_source() -> None:
    doubts = read("doubts")
    assert set(doubts["effect"]) == {"outcome", "dose", "therapy", "overlap", "retraction", "blinding", "other"}
    assert doubts["doubt"].str.endswith(".").all()
    assert all(ADDRESS.fullmatch(address) for source in doubts["source"] for address in source.split(" ; "))


def test_every_retracted_trial_and_every_overlap_of_an_excluded_trial_is_among_the_doubts(trials: pd.DataFrame) -> None:
    doubts = read("doubts")
    assert set(trials.index[trials["retracted"] == 1]) <= set(doubts.loc[doubts["effect"] == "retraction", "trial_id"])
    papers = trials[(trials["include"] == 0) & trials["overlaps_with"].notna()].index.drop(
        ["review_mathai2020", "mapp_phase3"]
    )
    assert set(papers) <= set(doubts.loc[doubts["effect"] == "overlap", "trial_id"])


def test_the_bibliography_has_one_complete_entry_per_key(trials: pd.DataFrame) -> None:
    text = (DATA / "references.bib").read_text(encoding="utf-8")
    entry = re.compile(r"@(article|misc)\{([\w.-]+),\n((?:  \w+ = \{[^\n]*\},?\n)+)\}\n")
    entries = entry.findall(text)
    keys = [key for _, key, _ in entries]
    assert len(keys) == text.count("@article{") + text.count("@misc{")
    assert len(keys) == len(set(keys))
    assert text.count("{") == text.count("}")
    assert set(CITED.values()) <= set(keys)
    assert set(trials.index[trials["doi"].notna()]) <= set(keys)
    printed = dict(re.findall(r"@\w+\{([\w.-]+),\n(?:(?!\n\}).)*?  doi = \{([^}]*)\}", text, flags=re.DOTALL))
    for trial, doi in trials["doi"].dropna().items():
        assert printed.get(str(trial), doi) == doi


def test_the_citation_file_names_the_software_the_review_and_the_data() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    top = dict(re.findall(r"^([a-z-]+): (.+)$", text, flags=re.MULTILINE))
    assert top["cff-version"] == "1.2.0"
    assert (top["title"], top["type"], top["version"], top["license"]) == (
        "pillprocess",
        "software",
        "0.1.0",
        "Apache-2.0",
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", top["date-released"])
    references = text.split("\nreferences:\n")[1].split("\n  - type: ")
    assert len(references) == 6
    for doi in (
        "10.1172/JCI180217",
        "10.5281/zenodo.15714852",
        "10.5281/zenodo.18740439",
        "10.18112/openneuro.ds005917.v1.0.1",
    ):
        assert f"    doi: {doi}\n" in text


def test_the_data_dictionary_names_every_file_and_counts_its_rows() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    for name in KEYS:
        assert f"{name}.csv" in text
    for name in ("trials", "arms", "outcomes", "contrasts", "risk_of_bias", "doubts", "preclinical", "reference_doses"):
        assert f"| `{name}.csv` | {len(read(name))} |" in text
    assert "http://opendatacommons.org/licenses/by/1.0/" in text
