"""Public data of individual participants, fetched at a pinned commit, checked and tidied.

Nothing here is shipped with the package: the first call of a function downloads its files into a cache, later calls read
the cache. Where there is no network, give the folder that holds files you downloaded yourself.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

MICRODOSE = "szb37/mcrds_public/43bb44cc8b6b79536e4b2afd0a7c724e90f137f7/data"
KETAMINE = "OpenNeuroDatasets/ds005917/3dad5b3dc5d246e3a267e2eda22699c4cbaf783e"
PSILODEP2 = "szb37/psilodep2/01cbdd94d57ff95ffa33f1906cf9160bfc16cc3a/data"
PSICONNECT = "https://github.com/nemarDatasets/on006110 at commit ca842744348695248eaa7e49030777c5f3bae647"


class DatasetError(RuntimeError):
    """A public data set could not be fetched, or is not what was expected; the message says what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A file at a pinned commit of a public repository.

    Attributes
    ----------
    place
        Owner, repository, commit and folder.
    path
        Path below that.
    sha256
        Checksum of the file; None where only the commit pins it.
    """

    place: str
    path: str
    sha256: str | None

    @property
    def url(self) -> str:
        """Address of the raw file."""
        return f"https://raw.githubusercontent.com/{self.place}/{self.path}"

    @property
    def name(self) -> str:
        """File name without folders."""
        return Path(self.path).name


ACUTE = RemoteFile(MICRODOSE, "pacutes.csv", "86aa784528ee045c61fadf3eacfd3e1897d16aae9839cee7cb4bfe839a7cc4e3")
ACCUMULATED = RemoteFile(
    MICRODOSE, "accumulatives.csv", "061a2aa8301f4ca2f97d876ddbb5f89f599e4d858075d815cc783b997ccf3070"
)
KETAMINE_PEOPLE = RemoteFile(
    KETAMINE, "participants.tsv", "34cdc8adfe06e76ca276216e00ea2dc1ae12c03ce186038d9fa541cb1ae4e592"
)
KETAMINE_SCORES = RemoteFile(
    KETAMINE, "phenotype/phenotype.tsv", "5a4c4f92a72cb50070f7ffbd50ce3e5ea34a40c1e0f6245c27d1dc6575084b28"
)
JOBS = RemoteFile(
    "vincentarelbundock/Rdatasets/1c97ab8a1df2469762e635481ba27cf4e80e3e51/csv/mediation", "jobs.csv",
    "88d5cce12930f3d111597cf15b7c0cd3e7fa7f316f718de7024e147b9756fb9f",
)  # fmt: skip
PSILODEP2_SCORES = RemoteFile(PSILODEP2, "scores.csv", None)


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
    table = _read(file, folder, caller="fetch_microdose", sep=",")
    scale = "test_name" if measured == "acute" else "test"
    names = {
        "trial_id": "person", scale: "scale", "value": "score", "delta_value": "change", "sss": "suggestibility",
        "expectation": "expectancy", "n_micro_months": "microdosing_months", "n_macro_exp": "macrodoses",
    }  # fmt: skip
    arms = {"MD": "microdose", "PL": "placebo", "HH": "half_half"}
    if measured == "accumulated":
        table = _renamed(table, names, "tp age sex education psychiatric_past psychiatric_now group drug dose", file)
        time = _translated(table, "tp", {"pre": "pre", "post": "post", "ltfu": "follow_up"}, file)
        return table.assign(time=time, group=_translated(table, "group", arms, file)).drop(columns="tp")
    needed = "tp condition guess age sex psychiatric_past drug dose"
    table = _renamed(table, {k: v for k, v in names.items() if k != "delta_value"}, needed, file)
    when = table["tp"].str.extract(r"^w([1-4])s([12])$").astype("Int64")
    if when.isna().to_numpy().any():
        raise DatasetError(
            f"{file.name}: column 'tp' holds {sorted(set(table['tp'][when[0].isna()]))}, not w1s1 to w4s2"
        )
    guess = _translated(table, "guess", arms, file)
    return table.assign(
        week=when[0].astype(int), session=when[1].astype(int), guess=guess,
        treatment=_translated(table, "condition", arms, file), guessed_microdose=(guess == "microdose").astype(int),
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
    people = _read(KETAMINE_PEOPLE, folder, caller="fetch_ketamine_crossover", sep="\t")
    scores = _read(KETAMINE_SCORES, folder, caller="fetch_ketamine_crossover", sep="\t")
    people = _renamed(
        people, {"participant_id": "person", "BMI": "bmi"}, "age sex group infusion_1 infusion_2", KETAMINE_PEOPLE
    )
    names = {"participant_id": "person", "MADRS_Total": "MADRS", "HAMD_Bech": "HAMD6", "HAM17_Total": "HAMD17"}
    scores = _renamed(scores, names, "session_id", KETAMINE_SCORES)
    visit = scores["session_id"].str.extract(r"^ses-([bdp])(0|2|10)$")
    strange = visit[0].isna() & scores["session_id"].notna()
    if strange.any():
        unknown = sorted(set(scores.loc[strange, "session_id"].astype(str)))
        raise DatasetError(
            f"{KETAMINE_SCORES.name}: column 'session_id' holds {unknown}, not ses-b0, ses-d2 ... ses-p10"
        )
    people["group"] = _translated(people, "group", {"MDD": "MDD", "BP": "bipolar", "HC": "healthy"}, KETAMINE_PEOPLE)
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
    table = _read(file, folder, caller="fetch_psiconnect", sep=",")
    return _renamed(table, {"participant_id": "person"}, "dose_mg_per_kg MEQ30_MEAN DASS_DEPRESSION_change", file)


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
    return _renamed(_read(JOBS, folder, caller="fetch_jobs", sep=","), {}, "treat job_seek depress1 depress2", JOBS)


def fetch_psilodep2(*, folder: str | Path | None = None) -> pd.DataFrame:
    """Fetch the psilocybin against escitalopram trial: scores of 59 patients, and what they expected of either treatment.

    The data carry no licence that permits passing them on: they are fetched from the authors' own repository, for you.

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
    table = _renamed(_read(file, folder, caller="fetch_psilodep2", sep=","), names, "trt scale tp score age sex", file)
    week = table["tp"].str.extract(r"^wk(\d+)$")[0]
    if week.isna().any():
        raise DatasetError(f"{file.name}: column 'tp' holds {sorted(set(table['tp'][week.isna()]))}, not wk0, wk2 ...")
    arms = _translated(table, "trt", {"P": "psilocybin", "E": "escitalopram"}, file)
    columns = (
        "person treatment scale week score baseline change age sex education illness_years expectancy_psilocybin "
        "expectancy_escitalopram suggestibility absorption alliance"
    )
    return table.assign(week=week.astype(int), treatment=arms)[columns.split()]


def _read(file: RemoteFile, folder: str | Path | None, *, caller: str, sep: str) -> pd.DataFrame:
    """Read a file from a folder, or from the cache, where it is fetched first."""
    path = _fetched(file, caller) if folder is None else Path(folder) / file.name
    if not path.is_file():
        raise DatasetError(f"{folder} has no file {file.name}; give {caller}(folder=...) the folder that holds it")
    return pd.read_csv(path, sep=sep, na_values=["n/a"])


def _fetched(file: RemoteFile, caller: str) -> Path:
    """Path of the file in the cache."""
    import pooch

    name = f"{file.place.replace('/', '-')}-{file.name}"
    checksum = f"sha256:{file.sha256}" if file.sha256 else None
    try:
        return Path(pooch.retrieve(file.url, checksum, fname=name, path=pooch.os_cache("pillprocess")))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{file.url} could not be fetched ({error}). Without a network, download it elsewhere, keep its name "
            f"{file.name}, and call {caller}(folder=...) with the folder it is in"
        ) from error


def _renamed(table: pd.DataFrame, names: dict[str, str], other: str, file: RemoteFile) -> pd.DataFrame:
    """Rename columns after checking that they and the others are there."""
    absent = [c for c in [*names, *other.split()] if c not in table.columns]
    if absent:
        raise DatasetError(
            f"{file.name} lacks the columns {', '.join(absent)}; it has {', '.join(map(str, table.columns))}"
        )
    return table.rename(columns=names)


def _translated(table: pd.DataFrame, column: str, labels: dict[str, str], file: RemoteFile) -> pd.Series:
    """Labels in plain words; a label that is not known is an error."""
    unknown = sorted(set(table[column].astype(str)) - set(labels))
    if unknown:
        raise DatasetError(f"{file.name}: column {column!r} holds {', '.join(unknown)}; known are {', '.join(labels)}")
    return table[column].map(labels)
