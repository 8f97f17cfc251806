"""What a synthesis conditions on, as arrays that can be replaced without compiling its model again."""

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from pillprocess.synthesis.choices import Choices
from pillprocess.synthesis.kinds import FLAT, NOT_LEFT_OUT
from pillprocess.synthesis.outcome_density import trial_effects, trial_rows, whitened_loadings

PERSON_STATISTICS = ("n", "mean_s", "mean_y", "ss", "yy", "sy", "kept")

USUAL_SD = 0.3
"""SD between trials under which outcomes are asked what they say of direct effects, to lay the axes of the sampler."""


def synthesis_data(items: xr.Dataset, choices: Choices) -> dict[str, np.ndarray]:
    """Return the data of the model, by name.

    Parameters
    ----------
    items
        From :func:`pillprocess.synthesis_items`, perhaps with evidence removed.
    choices
        What is asked of them.
    """
    told, kept = told_associations(items), items["association_kept"].to_numpy()
    whitener, arms = items["whitener"].to_numpy(), items["row_arm"].to_numpy() @ arm_loadings(items, drugs_of(items))
    loadings, gram = whitened_loadings(
        whitener, items["effect_loading"].to_numpy(), effect_slots(items), trial_rows(items["trial"].to_numpy())
    )
    effects, dose = whitener @ items["effect_loading"].to_numpy(), whitener @ arms[:, : len(drugs_of(items))]
    score = np.linalg.solve(np.eye(len(effects)) + USUAL_SD**2 * effects @ effects.T, dose).T
    return choices.data() | {
        "direct_score": score, "direct_information": (score * dose.T).sum(axis=1),
        "outcome_y": whitener @ items["y"].to_numpy(),
        "outcome_design": whitener @ np.hstack([arms, items["course_loading"].to_numpy()[:, course_columns(items)]]),
        "left_out": items["left_out"].to_numpy() if "left_out" in items else np.full(gram.shape[-1], NOT_LEFT_OUT),
        "whitened_loadings": loadings, "gram": gram,
        "score_data": items["score_d"].to_numpy(), "score_extra": items["score_extra"].to_numpy(),
        "study_seen": studies_seen(items),
        "bridge_data": items["bridge_z"].to_numpy(),
        "association_data": items["association_z"].to_numpy()[~told], "association_extra": FLAT * (1 - kept[~told]),
        "significance_n": kept[told].astype(int),
        "significance_data": (kept * items["association_significant"].to_numpy())[told].astype(int),
        "guess_n": items["guess_n"].to_numpy(), "guess_data": items["guess_correct"].to_numpy(),
        "count_n": items["count_n"].to_numpy(), "count_data": items["count_responders"].to_numpy(),
        **{f"person_{c}": items[f"person_{c}"].to_numpy() for c in PERSON_STATISTICS},
    }  # fmt: skip


def experiences_of_items(held: xr.Dataset) -> dict[str, str]:
    """Return the dimension of experience of each drug, from items or from the draws of a fit to them."""
    return dict(json.loads(held.attrs["experiences"]))


def drugs_of(items: xr.Dataset) -> list[str]:
    """Return the drugs that any item speaks of, in the order of the model."""
    return sorted({*items["arm_drug"].to_numpy(), *items["person_drug"].to_numpy(), *items["score_path"].to_numpy()})


def score_studies(items: xr.Dataset) -> np.ndarray:
    """Return the study and drug of every acute score."""
    return np.asarray(items["score_study"].to_numpy() + ": " + items["score_path"].to_numpy())


def studies_seen(items: xr.Dataset) -> np.ndarray:
    """Return 1 for every study with an acute score that was not removed, in order of appearance."""
    study, kept = score_studies(items), items["score_extra"].to_numpy() < FLAT
    return np.array([float(kept[study == one].any()) for one in dict.fromkeys(study)])


def told_associations(items: xr.Dataset) -> np.ndarray:
    """Return which associations say only whether they were significant."""
    return np.asarray(items["association_told"].to_numpy() == 1)


TRIAL_SDS = {"m": "tau_mu", "u": "tau", "h": "tau_therapy", "l": "tau_waitlist"}
"""SD between trials of each of their effects: course, dose effect, therapy, waiting list."""


def sd_of_effect(items: xr.Dataset) -> np.ndarray:
    """Return the position in ``TRIAL_SDS`` of every trial effect's SD."""
    return np.array([list(TRIAL_SDS).index(v) for v in items["effect_variable"].to_numpy()], int)


def effect_slots(items: xr.Dataset) -> np.ndarray:
    """Return each trial's effects, (slot, trial)."""
    return trial_effects(items["trial"].to_numpy(), items["effect_loading"].to_numpy())


def course_columns(items: xr.Dataset) -> np.ndarray:
    """Return which coefficients are courses of the control condition."""
    return np.isin(items["coefficient_variable"].to_numpy(), ["mu_construct", "mu"])


def arm_columns(items: xr.Dataset, drugs: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the loadings of each arm on the effects, (arm, column): a column per drug for those that differ by drug."""
    given = np.array([[d == name for name in drugs] for d in items["arm_drug"].to_numpy()], float).reshape(
        -1, len(drugs)
    )
    dose, therapy = items["arm_dose"].to_numpy()[:, None] * given, items["arm_therapy"].to_numpy()[:, None]
    return {
        "direct": dose, "interaction": dose * therapy, "experience": dose * items["arm_awake"].to_numpy()[:, None],
        "therapy": therapy, "waitlist": items["arm_waitlist"].to_numpy()[:, None],
        "comparator": items["arm_comparator"].to_numpy()[:, None],
    }  # fmt: skip


def blind_groups(items: xr.Dataset, drugs: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return an arm of every group of arms whose blinded patients believe alike, and which arms are in which group (arm, group)."""
    what = [items["arm_dose"].to_numpy()[:, None], items["arm_active_placebo"].to_numpy()[:, None]]
    _, first, group = np.unique(
        np.hstack([*what, arm_columns(items, drugs)["experience"]]), axis=0, return_index=True, return_inverse=True
    )
    return first, (group[:, None] == np.arange(len(first))).astype(float)


def arm_loadings(items: xr.Dataset, drugs: Sequence[str]) -> np.ndarray:
    """Return the loadings of each arm on what moves its change: `arm_columns`, belief where it is known, and where it is not (by group)."""
    known = items["arm_known"].to_numpy()[:, None]
    told, guessed = known * items["arm_active"].to_numpy()[:, None], (1 - known) * blind_groups(items, drugs)[1]
    return np.hstack([*arm_columns(items, drugs).values(), told, guessed])
