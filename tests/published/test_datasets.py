"""Public data: read from local copies, checked, tidied; the network is never touched."""

import hashlib
from pathlib import Path

import pandas as pd
import pooch
import pytest

from pillprocess.published import dataset_files as files
from pillprocess.published.dataset_files import DatasetError
from pillprocess.published.datasets import fetch_ketamine_crossover, fetch_microdose, fetch_psiconnect, fetch_psilodep2

PSILODEP2 = (
    "patient_id,trt,scale,tp,score,score_bsl,score_chg,age,sex,edu,ill_dur,modtas,sss,psi,esc,ta\n"
    "1,E,hamd,wk6,8,19,-11,60,M,1,8,20,37,70,10,30\n"
    "2,P,hamd,wk6,,21,,39,M,0,24,19,32,22,25,43\n"
)


def test_checksums_are_those_of_the_unchanged_copies(shared) -> None:
    for file, folder in (
        (files.ACUTE, "szb37_mcrds_public"),
        (files.ACCUMULATED, "szb37_mcrds_public"),
        (files.KETAMINE_PEOPLE, "openneuro_ds005917"),
        (files.KETAMINE_SCORES, "openneuro_ds005917"),
    ):
        path = shared(f"evidence/public/{folder}/{file.name}")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def test_addresses_are_pinned_to_a_commit() -> None:
    expected = "https://raw.githubusercontent.com/OpenNeuroDatasets/ds005917/3dad5b3dc5d246e3a267e2eda22699c4cbaf783e/phenotype/phenotype.tsv"
    assert files.KETAMINE_SCORES.url == expected


def test_acute_microdose_rows_carry_treatment_and_guess(shared) -> None:
    table = fetch_microdose(folder=shared("evidence/public/szb37_mcrds_public"))
    panas = table[table["scale"] == "PANAS"]
    assert len(table) == 15623
    assert table["person"].nunique() == 240
    assert pd.crosstab(panas["treatment"], panas["guess"]).loc["microdose"].to_dict() == {
        "microdose": 167,
        "placebo": 172,
    }
    assert pd.crosstab(panas["treatment"], panas["guess"]).loc["placebo"].to_dict() == {
        "microdose": 125,
        "placebo": 383,
    }
    assert set(table.loc[table["scale"] == "STAIT", "session"]) == {2}
    assert set(table["week"]) == {1, 2, 3, 4}
    assert (table["guessed_microdose"] == (table["guess"] == "microdose")).all()


def test_accumulated_microdose_changes_are_from_before_the_trial(shared) -> None:
    table = fetch_microdose(measured="accumulated", folder=shared("evidence/public/szb37_mcrds_public"))
    wide = (
        table[table["scale"] == "CAMS"].pivot_table(index="person", columns="time", values=["score", "change"]).dropna()
    )
    difference = wide["score", "post"] - wide["score", "pre"]
    pd.testing.assert_series_equal(difference, wide["change", "post"], check_names=False)
    assert set(table["group"]) == {"microdose", "placebo", "half_half"}


def test_ketamine_rows_know_their_period(shared) -> None:
    table = fetch_ketamine_crossover(folder=shared("evidence/public/openneuro_ds005917"))
    people = table.drop_duplicates("person")["group"].value_counts()
    assert people.to_dict() == {"MDD": 33, "healthy": 22, "bipolar": 3}
    first = table[(table["group"] == "MDD") & (table["period"] == 1) & (table["day"] == 2)].dropna(subset=["MADRS"])
    assert first["treatment"].value_counts().to_dict() == {"ketamine": 15, "placebo": 13}
    assert table.loc[table["day"] == 0, "treatment"].isna().all()
    assert table.loc[(table["person"] == "sub-MOA101") & (table["day"] == 0), "MADRS"].item() == 35


def test_psiconnect_is_read_from_a_joined_table(shared) -> None:
    table = fetch_psiconnect(folder=shared("evidence/public/openneuro_ds006110_psiconnect"))
    pair = table[["MEQ30_MEAN", "DASS_DEPRESSION_change"]].dropna()
    assert len(pair) == 50
    assert pair.corr().iloc[0, 1] == pytest.approx(0.024, abs=5e-4)


def test_psiconnect_without_a_folder_says_what_to_join() -> None:
    with pytest.raises(DatasetError, match=r"one table per questionnaire .* join them by participant_id"):
        fetch_psiconnect()


def test_psilodep2_scores_are_tidied(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text(PSILODEP2)
    table = fetch_psilodep2(folder=tmp_path)
    assert table["treatment"].tolist() == ["escitalopram", "psilocybin"]
    assert table["week"].tolist() == [6, 6]
    assert table["expectancy_psilocybin"].tolist() == [70, 22]
    assert table["change"].isna().tolist() == [False, True]


def test_a_folder_without_the_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no file pacutes.csv; give fetch_microdose\(folder=...\)"):
        fetch_microdose(folder=tmp_path)


def test_no_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(
        DatasetError, match=r"43bb44cc.*/data/pacutes.csv could not be fetched \(no route to host\).*keep its name"
    ):
        fetch_microdose()


def test_a_wrong_checksum_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(_url: str, checksum: str | None, **_: object) -> str:
        raise ValueError(f"hash does not match {checksum}")

    monkeypatch.setattr(pooch, "retrieve", changed)
    with pytest.raises(
        DatasetError, match=r"is not the file that was checked \(hash does not match sha256:34cdc8.*nothing was read"
    ):
        fetch_ketamine_crossover()


def test_a_fetched_file_is_read_from_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []

    def cached(url: str, checksum: str | None, *, fname: str, path: Path) -> str:
        calls.append((url, checksum, fname, path))
        (tmp_path / fname).write_text(PSILODEP2)
        return str(tmp_path / fname)

    monkeypatch.setattr(pooch, "retrieve", cached)
    assert len(fetch_psilodep2()) == 2
    assert calls[0][0].endswith("/psilodep2/01cbdd94d57ff95ffa33f1906cf9160bfc16cc3a/data/scores.csv")
    assert calls[0][1] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("psi,", "other,"), "scores.csv lacks the columns psi; it has patient_id, trt"),
        (("1,E,", "1,X,"), "column 'trt' holds X; known are P, E"),
        (("wk6,8", "week6,8"), r"column 'tp' holds \['week6'\], not wk0, wk2"),
    ],
)
def test_a_table_that_is_not_the_expected_one_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "scores.csv").write_text(PSILODEP2.replace(*change))
    with pytest.raises(DatasetError, match=message):
        fetch_psilodep2(folder=tmp_path)


def test_unknown_times_of_the_microdose_trial_are_refused(tmp_path: Path) -> None:
    header = "trial_id,test_name,tp,condition,guess,value,age,sex,psychiatric_past,sss,expectation,n_micro_months,n_macro_exp,drug,dose"
    (tmp_path / "pacutes.csv").write_text(f"{header}\n1,PANAS,w9s1,MD,MD,15,40,male,0,50,20.3,0,3,LSD,10\n")
    with pytest.raises(DatasetError, match=r"column 'tp' holds \['w9s1'\], not w1s1 to w4s2"):
        fetch_microdose(folder=tmp_path)


KETAMINE_PEOPLE = "participant_id\tage\tsex\tBMI\tgroup\tinfusion_1\tinfusion_2\nsub-1\t29\tM\t27.8\tMDD\td\tp\n"
KETAMINE_SCORES = "participant_id\tsession_id\tMADRS_Total\tHAMD_Bech\tHAM17_Total\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("sub-1\tses-x2\t1\t2\t3\n", r"column 'session_id' holds \['ses-x2'\], not ses-b0"),
        ("sub-9\tses-d2\t1\t2\t3\n", "phenotype.tsv: sub-9 are not in participants.tsv"),
    ],
)
def test_ketamine_visits_that_fit_nobody_are_refused(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "participants.tsv").write_text(KETAMINE_PEOPLE)
    (tmp_path / "phenotype.tsv").write_text(KETAMINE_SCORES + row)
    with pytest.raises(DatasetError, match=message):
        fetch_ketamine_crossover(folder=tmp_path)
