"""Public data of individual participants, fetched at a pinned commit, checked and tidied.

Nothing here is shipped with the package: the first call of a function downloads its files into a cache, later calls read
the cache. Where there is no network, give the folder that holds files you downloaded yourself.
"""

from pathlib import Path
from typing import Literal

import pandas as pd

from pillprocess.published.dataset_files import (
    ACCUMULATED,
    ACUTE,
    JOBS,
    KETAMINE_PEOPLE,
    KETAMINE_SCORES,
    PSICONNECT,
    PSILODEP2_SCORES,
    DatasetError,
    RemoteFile,
    read_remote,
    renamed,
    translated,
)


def fetch_microdose(
    *, measured: Literal["acute", "accumulated"] = "acute", folder: str | Path | None = None
) -> pd.DataFrame:
    """Fetch the self-blinding microdose trial: each person took microdoses and placebo capsules without knowing which.

    Parameters
    ----------
    measured
        ``"acute"``: on dosing days and the days after, with the treatment guess (``pacutes.csv``). ``"accumulated"``: before
        the four weeks, after them, and at follow-up (``accumulatives.csv``).
    folder
        Folder that holds the file; by default it is downloaded once and cached.

    Returns
    -------
    DataFrame, one row per person, scale and time. Both: ``person``, ``scale`` (name at the source), ``score``, ``age``,
    ``sex``, ``psychiatric_past``, ``suggestibility`` (short suggestibility scale), ``expectancy`` (0-100, rated before the
    trial), ``microdosing_months`` and ``macrodoses`` (past use), ``drug``, ``dose`` (self-reported); codes and units that
    are not named here are as at the source.
    Acute: ``week`` (1-4), ``session`` (1 on the dosing day, 2 on the day after), ``treatment`` and ``guess`` (microdose,
    placebo), ``guessed_microdose`` (0, 1). Treatment of sessions 1 and 2 of one week agrees in 87 % of pairs: decide which
    capsule a session 2 row belongs to before pairing them.
    Accumulated: ``time`` (pre, post, follow_up), ``change`` (from pre), ``group`` (microdose, placebo, half_half),
    ``education``, ``psychiatric_now``.

    Raises
    ------
    DatasetError
        The file could not be fetched, or its columns or labels are not the expected ones.

    References
    ----------
    Szigeti et al. 2021, eLife 10:e62878, doi:10.7554/eLife.62878. Data: MIT licence.
    """
    file = ACUTE if measured == "acute" else ACCUMULATED
    table = read_remote(file, folder, caller="fetch_microdose", sep=",")
    scale = "test_name" if measured == "acute" else "test"
    names = {
        "trial_id": "person", scale: "scale", "value": "score", "delta_value": "change", "sss": "suggestibility",
        "expectation": "expectancy", "n_micro_months": "microdosing_months", "n_macro_exp": "macrodoses",
    }  # fmt: skip
    arms = {"MD": "microdose", "PL": "placebo", "HH": "half_half"}
    if measured == "accumulated":
        table = renamed(table, names, "tp age sex education psychiatric_past psychiatric_now group drug dose", file)
        time = translated(table, "tp", {"pre": "pre", "post": "post", "ltfu": "follow_up"}, file)
        return table.assign(time=time, group=translated(table, "group", arms, file)).drop(columns="tp")
    needed = "tp condition guess age sex psychiatric_past drug dose"
    table = renamed(table, {k: v for k, v in names.items() if k != "delta_value"}, needed, file)
    when = table["tp"].astype(str).str.extract(r"^w([1-4])s([12])$").astype("Int64")
    if when.isna().to_numpy().any():
        raise DatasetError(
            f"{file.name}: column 'tp' holds {sorted(set(table['tp'][when[0].isna()].astype(str)))}, not w1s1 to w4s2"
        )
    guess = translated(table, "guess", arms, file)
    return table.assign(
        week=when[0].astype(int), session=when[1].astype(int), guess=guess,
        treatment=translated(table, "condition", arms, file), guessed_microdose=(guess == "microdose").astype(int),
    ).drop(columns=["tp", "condition"])  # fmt: skip


def fetch_ketamine_crossover(*, folder: str | Path | None = None) -> pd.DataFrame:
    """Fetch the ketamine crossover of the National Institute of Mental Health: depressed and healthy people, two infusions.

    Effects carry over from the first infusion to the second period: ``period == 1`` is the clean comparison.

    Parameters
    ----------
    folder
        Folder that holds ``participants.tsv`` and ``phenotype.tsv``; by default they are downloaded once and cached.

    Returns
    -------
    DataFrame, one row per person and visit: ``person``, ``group`` (MDD, bipolar, healthy), ``treatment`` (ketamine, placebo;
    missing at baseline), ``period`` (1 or 2, the infusion's place in the order; missing at baseline), ``day`` (0 baseline,
    2, 10 after the infusion; missing for one healthy person without a visit), ``MADRS``, ``HAMD6``, ``HAMD17``, ``age``,
    ``sex``, ``bmi``.

    Raises
    ------
    DatasetError
        A file could not be fetched, or its columns or labels are not the expected ones.

    References
    ----------
    Evans, Nugent & Zarate, NIMH Ketamine Mechanism of Action Study, doi:10.18112/openneuro.ds005917.v1.0.1. Data: CC0.
    """
    people = read_remote(KETAMINE_PEOPLE, folder, caller="fetch_ketamine_crossover", sep="\t")
    scores = read_remote(KETAMINE_SCORES, folder, caller="fetch_ketamine_crossover", sep="\t")
    people = renamed(
        people, {"participant_id": "person", "BMI": "bmi"}, "age sex group infusion_1 infusion_2", KETAMINE_PEOPLE
    )
    names = {"participant_id": "person", "MADRS_Total": "MADRS", "HAMD_Bech": "HAMD6", "HAM17_Total": "HAMD17"}
    scores = renamed(scores, names, "session_id", KETAMINE_SCORES)
    visit = scores["session_id"].astype(str).str.extract(r"^ses-([bdp])(0|2|10)$")
    strange = visit[0].isna() & scores["session_id"].notna()
    if strange.any():
        unknown = sorted(set(scores.loc[strange, "session_id"].astype(str)))
        raise DatasetError(
            f"{KETAMINE_SCORES.name}: column 'session_id' holds {unknown}, not ses-b0, ses-d2 ... ses-p10"
        )
    people["group"] = translated(people, "group", {"MDD": "MDD", "BP": "bipolar", "HC": "healthy"}, KETAMINE_PEOPLE)
    table = scores.assign(infusion=visit[0], day=visit[1].astype("Int64")).merge(
        people, on="person", how="left", validate="m:1"
    )
    if table["group"].isna().any():
        strangers = sorted(set(table.loc[table["group"].isna(), "person"]))
        raise DatasetError(f"{KETAMINE_SCORES.name}: {', '.join(strangers)} are not in {KETAMINE_PEOPLE.name}")
    first, second = table["infusion"] == table["infusion_1"], table["infusion"] == table["infusion_2"]
    table["period"] = first.map({True: 1.0}).fillna(second.map({True: 2.0})).astype("Int64")
    table["treatment"] = table["infusion"].map({"d": "ketamine", "p": "placebo"})
    columns = "person group treatment period day MADRS HAMD6 HAMD17 age sex bmi"
    return table[columns.split()].sort_values(["person", "day", "treatment"], ignore_index=True)


def fetch_psiconnect(*, folder: str | Path | None = None) -> pd.DataFrame:
    """Read PsiConnect: healthy people, one open-label dose of 19 mg psilocybin, acute scales and symptoms a month later.

    The public tables are one per questionnaire; a joined table of one row per person is read from ``folder``.

    Parameters
    ----------
    folder
        Folder that holds the joined ``participants.csv``.

    Returns
    -------
    DataFrame, one row per person: ``person``, ``dose_mg_per_kg``, acute scales (``MEQ30_*``, ``ASC5_*``, ``ASC11_*``,
    ``EDI_*``, ``EBI_EBITOTAL``, ``INTENSITY_EXPERIENCE``), symptoms (``DASS_*``, ``IDAS_*``) with suffix ``_baseline``,
    ``_1month`` and ``_change`` (month - baseline), persisting effects (``PEQ60_*_1month``), ``complete_mystical`` (0, 1).

    Raises
    ------
    DatasetError
        No folder was given, or the table lacks columns.

    References
    ----------
    PsiConnect, OpenNeuro ds006110, doi:10.82901/nemar.on006110. Data: CC0.
    """
    if folder is None:
        raise DatasetError(
            f"PsiConnect is public as one table per questionnaire ({PSICONNECT}, derivatives/phenotype/scored); join them by "
            "participant_id into participants.csv, with suffixes _baseline and _1month, and call "
            "fetch_psiconnect(folder=...) with its folder"
        )
    file = RemoteFile("", "participants.csv", None)
    table = read_remote(file, folder, caller="fetch_psiconnect", sep=",")
    return renamed(table, {"participant_id": "person"}, "dose_mg_per_kg MEQ30_MEAN DASS_DEPRESSION_change", file)


def fetch_jobs(*, folder: str | Path | None = None) -> pd.DataFrame:
    """Fetch JOBS II: unemployed people, a job search workshop, job search self-efficacy and depression.

    The table of the R package mediation (GPL), fetched for you and never passed on.

    Parameters
    ----------
    folder
        Folder that holds ``jobs.csv``; by default it is downloaded once and cached.

    Returns
    -------
    DataFrame of 899 people with the source's own columns, among them ``treat`` (0, 1), ``job_seek`` (mediator, 1-5),
    ``depress1`` and ``depress2`` (depression before and after, 1-5).

    Raises
    ------
    DatasetError
        The file could not be fetched, or lacks columns.

    References
    ----------
    Vinokur, Price & Schul 1995, doi:10.1007/BF02506922; Tingley et al. 2014, doi:10.18637/jss.v059.i05.
    """
    return renamed(
        read_remote(JOBS, folder, caller="fetch_jobs", sep=","), {}, "treat job_seek depress1 depress2", JOBS
    )


def fetch_psilodep2(*, folder: str | Path | None = None) -> pd.DataFrame:
    """Fetch the psilocybin against escitalopram trial: scores of 59 patients, and what they expected of either treatment.

    No licence file was found at the pinned commit, so the data are not passed on: they are fetched from the authors' own
    repository, for you. What their licence allows beyond that is for you to settle with the authors.

    Parameters
    ----------
    folder
        Folder that holds ``scores.csv``; by default it is downloaded once and cached. No checksum is known, so the commit in
        the address pins the file.

    Returns
    -------
    DataFrame, one row per person, scale and week: ``person``, ``treatment`` (psilocybin, escitalopram), ``scale``, ``week``,
    ``score``, ``baseline``, ``change`` (score - baseline), ``age``, ``sex``, ``education`` (0 school, 1 degree, 2 higher
    degree), ``illness_years``, ``expectancy_psilocybin`` and ``expectancy_escitalopram`` (0-100, rated before dosing),
    ``suggestibility`` (short suggestibility scale), ``absorption`` (MODTAS), ``alliance`` (before the first session).

    Raises
    ------
    DatasetError
        The file could not be fetched, or its columns or labels are not the expected ones.

    References
    ----------
    Carhart-Harris et al. 2021, doi:10.1056/NEJMoa2032994; Szigeti et al. 2024, doi:10.1017/S0033291723003653.
    """
    file = PSILODEP2_SCORES
    names = {
        "patient_id": "person", "score_bsl": "baseline", "score_chg": "change", "edu": "education", "ill_dur": "illness_years",
        "psi": "expectancy_psilocybin", "esc": "expectancy_escitalopram", "sss": "suggestibility", "modtas": "absorption",
        "ta": "alliance",
    }  # fmt: skip
    table = renamed(
        read_remote(file, folder, caller="fetch_psilodep2", sep=","), names, "trt scale tp score age sex", file
    )
    week = table["tp"].astype(str).str.extract(r"^wk(\d+)$")[0]
    if week.isna().any():
        raise DatasetError(
            f"{file.name}: column 'tp' holds {sorted(set(table['tp'][week.isna()].astype(str)))}, not wk0, wk2 ..."
        )
    arms = translated(table, "trt", {"P": "psilocybin", "E": "escitalopram"}, file)
    columns = (
        "person treatment scale week score baseline change age sex education illness_years expectancy_psilocybin "
        "expectancy_escitalopram suggestibility absorption alliance"
    )
    return table.assign(week=week.astype(int), treatment=arms)[columns.split()]
