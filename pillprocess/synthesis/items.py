"""Evidence as items of one synthesis: what was measured, on whom, and where it enters the model.

Dims: ``row`` (outcomes of arms and published differences), ``arm``, ``score`` (acute scores), ``bridge`` (correlations between
scales), ``association`` (experience with outcome), ``guess`` (counts of guesses), ``count`` (responders), ``person_arm`` (participants'
sufficient statistics). Removing evidence changes its numbers, not the shapes: the compiled model is used again.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.model import Baseline, decomposition_design
from pillprocess.evidence.drugs import experiences_of, known_drugs
from pillprocess.evidence.tables import Evidence
from pillprocess.participants.arms import person_arm_items
from pillprocess.rows.acute_scores import acute_scores, scale_correlations
from pillprocess.rows.arms import describe_arms
from pillprocess.rows.associations import experience_correlations
from pillprocess.rows.contrasts import model_rows
from pillprocess.rows.event_counts import response_counts, treatment_guesses
from pillprocess.rows.terms import dose_curve


def synthesis_items(
    evidence: Evidence,
    *,
    participants: Sequence[pd.DataFrame] = (),
    constructs: tuple[str, ...] | None = None,
    drugs: tuple[str, ...] | None = None,
    baseline: Baseline = "exchangeable",
    single_arm: str = "set_aside",
    dose_shape: str = "linear",
    healthy: bool = False,
) -> xr.Dataset:
    """Gather every piece of evidence that the synthesis can use.

    Parameters
    ----------
    evidence
        The checked tables.
    participants
        Tables of arms with experience and outcome, from :func:`pillprocess.person_arms`.
    constructs, drugs
        As in :func:`pillprocess.arm_changes`.
    baseline, dose_shape
        As in :func:`pillprocess.decomposition_design`; experience follows the same dose curve as the direct effect, so that
        no term is told from another by the shape of a curve.
    single_arm
        ``"set_aside"``: uncontrolled trials inform only the associations; ``"exchangeable"``: they inform the drug terms.
    healthy
        Use associations of experience and outcome in healthy volunteers.

    Returns
    -------
    Dataset of items.

    Raises
    ------
    ValueError
        Unknown choices; no controlled outcome is left; a drug has no dimension of experience.
    """
    if single_arm not in ("set_aside", "exchangeable"):
        raise ValueError(f"single_arm = {single_arm!r}; it must be 'set_aside' or 'exchangeable'")
    arms, differences = model_rows(evidence, constructs=constructs, drugs=drugs)
    counts = response_counts(evidence, arms, differences, constructs=constructs, drugs=drugs)
    differences = differences[~differences["trial"].isin(counts["trial"])]
    if single_arm == "set_aside":
        arms = arms[arms.groupby("trial")["trial"].transform("size") > 1]
    if arms.empty and differences.empty:
        raise ValueError("no controlled outcome is left under these choices; nothing was gathered")
    design = decomposition_design(
        arms, differences, terms={"drug", "therapy", "drug:therapy"}, baseline=baseline, dose_shape=dose_shape,
        single_arm="exchangeable" if single_arm == "exchangeable" else "own",
    )  # fmt: skip
    described = describe_arms(evidence)
    randomised = described["trial"].map(evidence.trials.set_index("trial_id")["n_randomised"])
    described["people"] = randomised.fillna(described.groupby("trial")["n"].transform("sum"))
    guesses = treatment_guesses(evidence, described)
    associations = experience_correlations(evidence, healthy=healthy)
    scores = acute_scores(evidence, dose_shape=dose_shape)
    sides = pd.concat([_sides(arms), _sides(differences)], ignore_index=True)
    cells = _cells(described, sides, counts, guesses, dose_shape, known_drugs(evidence))
    experiences = _experiences(evidence, cells)
    parts = [
        _outcome_items(design, sides, cells, arms, differences),
        _arm_items(cells),
        _score_items(evidence, scores, associations, participants),
        _guess_items(guesses, cells),
        _count_items(counts, cells),
        person_arm_items(participants, dose_shape=dose_shape, experiences=experiences),
    ]
    items = xr.merge(parts, combine_attrs="drop")
    items["outcome_sd"] = _outcome_sd(arms, differences)
    of_design = {k: design.attrs[k] for k in ("data_hash", "outcome", "scale", "dose_shape", "baseline")}
    own = {"experiences": json.dumps(experiences), "conditioning": "treatment", "single_arm": single_arm}
    return items.assign_attrs(of_design | own)


def _outcome_sd(arms: pd.DataFrame, differences: pd.DataFrame) -> float:
    """SD of people's changes, in reference SDs: the median drug arm's; without arms the one that the differences imply."""
    given = arms[arms["dose"] > 0]
    if given.empty:
        return float((differences["se"] / np.sqrt(1 / differences["n_arm"] + 1 / differences["n_reference"])).median())
    return float(np.median(given["se"] * np.sqrt(given["n"])))


def _sides(rows: pd.DataFrame) -> pd.DataFrame:
    """Arm and reference arm of every row, as labels."""
    arm = rows["trial"] + ": " + rows["arm"]
    reference = (rows["trial"] + ": " + rows["reference_arm"]).where(rows["kind"] == "contrast", "")
    return pd.DataFrame({"row": rows["label"], "arm": arm, "reference": reference})


def _cells(
    described: pd.DataFrame,
    sides: pd.DataFrame,
    counts: pd.DataFrame,
    guesses: pd.DataFrame,
    dose_shape: str,
    drugs: tuple[str, ...],
) -> pd.DataFrame:
    """Every arm an item speaks of, with what decides its experience and belief."""
    pooled = described["trial"].isin(guesses["trial"]) & (described["reason"] == "")
    wanted = [*sides["arm"], *sides["reference"], *(counts["trial"] + ": " + counts["arm"])]
    table = described.assign(label=described["trial"] + ": " + described["arm"])
    table = table[table["label"].isin(wanted) | pooled].set_index("label")
    dose = dose_curve(table["dose"].fillna(0).to_numpy(), dose_shape) * table["drug"].isin(drugs)
    active = table["drug"].isin(drugs) & (table["role"] != "low_dose")
    known = (table["trial_blinding"] == "open") | (table["role"] == "waitlist") | (table["drug"] == "none")
    return pd.DataFrame(
        {
            "trial": table["trial"], "drug": table["drug"].where(table["drug"].isin(drugs), table["drug_given"]), "dose": dose,
            "awake": (table["awake"] != 0).astype(float), "active": active.astype(float), "known": known.astype(float),
            "active_placebo": (table["role"] == "active_placebo").astype(float), "n": table["n"], "people": table["people"],
            "therapy": table["therapy"].fillna(0).astype(float), "waitlist": table["waitlist"].astype(float),
            "comparator": table["comparator"].astype(float),
        }
    )  # fmt: skip


def _experiences(evidence: Evidence, cells: pd.DataFrame) -> dict[str, str]:
    """The dimension of experience of every drug; a drug that was given and has none is no silent zero."""
    experiences = experiences_of(evidence)
    lacking = sorted(set(cells["drug"]) - set(experiences))
    if lacking:
        raise ValueError(
            f"no dimension of experience is known for {', '.join(lacking)}, and the synthesis asks what runs through it; give each a "
            "row in drugs.csv (drug, experience), or choose the drugs; nothing was gathered"
        )
    return experiences


def _outcome_items(
    design: xr.Dataset, sides: pd.DataFrame, cells: pd.DataFrame, arms: pd.DataFrame, differences: pd.DataFrame
) -> xr.Dataset:
    sign = np.zeros((len(sides), len(cells)))
    where = {label: i for i, label in enumerate(cells.index)}
    for i, (_, arm, reference) in enumerate(sides.itertuples(index=False, name=None)):
        sign[i, where[arm]] += 1
        if reference:
            sign[i, where[reference]] -= 1
    covariance = design["covariance"].to_numpy()
    keep = ["y", "X", "coefficient_variable", "coefficient_label"]
    items = design[keep]
    items = items.drop_vars(set(items.coords) - {"row", "coefficient", "trial", "study_drug"})
    items = items.rename({"X": "course_loading"})
    variables, loading = _trial_effects(design, sign, cells)
    items["effect_variable"], items["effect_loading"] = ("effect", variables), (("row", "effect"), loading)
    items["covariance"] = (("row", "row_other"), covariance)
    items["whitener"] = (("row", "row_other"), np.linalg.inv(np.linalg.cholesky(covariance)))
    items["row_arm"] = (("row", "arm"), sign)
    items["row_kind"] = ("row", _row_kinds(design["trial"].to_numpy(), sign, cells))
    return items.assign_coords(arm=cells.index.to_numpy(str))


def _trial_effects(design: xr.Dataset, sign: np.ndarray, cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What varies between trials, the same under every hypothesis: course, dose effect of each drug, therapy, waiting list.

    Returns
    -------
    Variable of every effect (``m``, ``u``, ``h``, ``l``), and loadings (row, effect).
    """
    trial = design["trial"].to_numpy()
    course = design["effect_variable"].to_numpy() == "m"
    variables, columns = ["m"] * int(course.sum()), [design["Z"].to_numpy()[:, course]]
    given = {drug: cells["dose"] * (cells["drug"] == drug) for drug in dict.fromkeys(cells["drug"])}
    for name in dict.fromkeys(trial):
        here = (trial == name).astype(float)
        each = [("u", dose) for dose in given.values()] + [("h", cells["therapy"]), ("l", cells["waitlist"])]
        for variable, amount in each:
            column = here * (sign @ amount.to_numpy(float))
            if column.any():
                variables.append(variable)
                columns.append(column[:, None])
    return np.array(variables, str), np.concatenate(columns, axis=1)


def _row_kinds(trial: np.ndarray, sign: np.ndarray, cells: pd.DataFrame) -> np.ndarray:
    """What each trial's outcomes are evidence of."""
    kinds = {}
    for name in dict.fromkeys(trial):
        used = cells[(sign[trial == name] != 0).any(axis=0)]
        doses = np.unique(used["dose"].round(6))
        given = doses[doses > 0]
        if (used["awake"] == 0).any():
            kinds[name] = "blocked experience"
        elif len(doses) == 1:
            kinds[name] = "therapy comparisons"
        elif len(given) > 1 and used["drug"].nunique() == 1:
            kinds[name] = "dose comparisons"
        else:
            kinds[name] = "placebo-controlled outcomes"
    return np.array([kinds[t] for t in trial], str)


def _arm_items(cells: pd.DataFrame) -> xr.Dataset:
    numbers = ("dose", "awake", "active", "known", "active_placebo", "therapy", "waitlist", "comparator", "people")
    items = {f"arm_{c}": ("arm", cells[c].to_numpy(float)) for c in numbers}
    items |= {f"arm_{c}": ("arm", cells[c].to_numpy(str)) for c in ("drug", "trial")}
    return xr.Dataset(items, coords={"arm": cells.index.to_numpy(str)})


def _score_items(
    evidence: Evidence, scores: pd.DataFrame, associations: pd.DataFrame, participants: Sequence[pd.DataFrame]
) -> xr.Dataset:
    """Scores, correlations between scales, and associations, each with its instrument."""
    named = associations["instrument"].str.removesuffix("_peak")
    other = "another " + associations["dimension"] + " scale"
    known = sorted(set(scores["instrument"]))
    own = [str(name) for table in participants for name in table["instrument"]]
    instrument = named.where(named.isin(known), other)
    instruments = [*known, *sorted({*instrument, *own} - set(known))]
    bridge = scale_correlations(evidence, known)
    arm = scores["study"] + ": " + scores["arm"]
    z = associations["z"]
    return xr.Dataset(
        {
            "score_d": ("score", scores["d"].to_numpy(float)), "score_n": ("score", scores["n"].to_numpy(float)),
            "score_se": ("score", scores["se"].to_numpy(float)),
            "score_dose": ("score", scores["dose"].to_numpy(float)), "score_extra": ("score", np.zeros(len(scores))),
            "score_path": ("score", scores["drug"].to_numpy(str)), "score_instrument": ("score", scores["instrument"].to_numpy(str)),
            "score_study": ("score", scores["study"].to_numpy(str)), "score_arm": ("score", arm.to_numpy(str)),
            "bridge_z": ("bridge", np.arctanh(bridge["r"].to_numpy(float))),
            "bridge_se": ("bridge", 1 / np.sqrt(bridge["n"].to_numpy(float) - 3)),
            "bridge_instrument": ("bridge", bridge["instrument"].to_numpy(str)), "bridge_other": ("bridge", bridge["other"].to_numpy(str)),
            "association_z": ("association", z.fillna(0).to_numpy(float)),
            "association_se": ("association", associations["se"].to_numpy(float)),
            "association_told": ("association", z.isna().to_numpy(float)),
            "association_significant": ("association", associations["significant"].fillna(0).to_numpy(float)),
            "association_kept": ("association", np.ones(len(z))),
            "association_drug": ("association", associations["drug"].to_numpy(str)),
            "association_dimension": ("association", associations["dimension"].to_numpy(str)),
            "association_instrument": ("association", instrument.to_numpy(str)),
        },
        coords={
            "score": (arm + ", " + scores["instrument"]).to_numpy(str),
            "bridge": (bridge["source"] + ": " + bridge["instrument"] + " and " + bridge["other"]).to_numpy(str),
            "association": associations["trial"].to_numpy(str), "instrument": np.array(instruments, str),
        },
    )  # fmt: skip


def _guess_items(guesses: pd.DataFrame, cells: pd.DataFrame) -> xr.Dataset:
    """P(correct) of a guess is the mean over its arms of B where active and of 1 - B where not."""
    weight, constant = np.zeros((len(guesses), len(cells))), np.zeros(len(guesses))
    labels = cells.index.to_numpy(str)
    for i, (trial, arm, _, _) in enumerate(guesses.itertuples(index=False, name=None)):
        here = np.flatnonzero(cells["trial"] == trial) if arm == "all" else np.flatnonzero(labels == f"{trial}: {arm}")
        share = cells["n"].iloc[here].fillna(1).to_numpy(float)
        active = cells["active"].iloc[here].to_numpy(float)
        weight[i, here] = share / share.sum() * np.where(active == 1, 1, -1)
        constant[i] = (share / share.sum() * (1 - active)).sum()
    return xr.Dataset(
        {
            "guess_n": ("guess", guesses["n"].to_numpy(int)), "guess_correct": ("guess", guesses["correct"].to_numpy(int)),
            "guess_arm": (("guess", "arm"), weight), "guess_constant": ("guess", constant),
        },
        coords={"guess": (guesses["trial"] + ": " + guesses["arm"]).to_numpy(str), "arm": labels},
    )  # fmt: skip


def _count_items(counts: pd.DataFrame, cells: pd.DataFrame) -> xr.Dataset:
    labels = (counts["trial"] + ": " + counts["arm"]).to_numpy(str)
    member = (labels[:, None] == cells.index.to_numpy(str)).astype(float)
    return xr.Dataset(
        {
            "count_n": ("count", counts["n"].to_numpy(int)), "count_responders": ("count", counts["responders"].to_numpy(int)),
            "count_arm": (("count", "arm"), member), "count_trial_of": ("count", counts["trial"].to_numpy(str)),
        },
        coords={"count": labels, "arm": cells.index.to_numpy(str)},
    )  # fmt: skip
