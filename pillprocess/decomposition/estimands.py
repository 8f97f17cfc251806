"""Estimands of the decomposition: one function from a fit to labelled draws, each keeping chain and draw."""

import numpy as np
import xarray as xr

from pillprocess.decomposition.settings import with_settings
from pillprocess.gaussian.posterior_columns import columns, design_of
from pillprocess.rows.terms import dose_curve

TERM_ORDER = (
    "course",
    "waitlist",
    "comparator",
    "therapy",
    "expectancy",
    "experience",
    "drug",
    "drug:therapy",
    "small study",
)

SCALES = ("tau", "tau_drug", "tau_mu", "tau_context")


def contributions(idata: xr.DataTree) -> xr.DataArray:
    """Split every row's expected change over the model's terms.

    Course is the trial's baseline: what its control condition would have shown without therapy, pill or expectation. The
    terms add up to the expected change exactly. In a contrast row each term is the difference of the two arms' terms.

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.decomposition` by either route, or of any design: each of its variables is then a term.

    Returns
    -------
    DataArray (chain, draw, row, term), in the model's unit; negative is improvement.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> contrasts = pp.contrasts(evidence, besides=arms)
    >>> idata = pp.fit(pp.decomposition_design(arms, contrasts), seed=1)
    >>> parts = pp.contributions(idata).sel(row="goodwin2022: psilocybin_25mg")
    >>> parts["term"].to_numpy().tolist()
    ['course', 'waitlist', 'comparator', 'therapy', 'drug', 'drug:therapy']
    """
    design = design_of(idata)
    parts: dict[str, np.ndarray] = {}
    for kind, matrix in (("coefficient", "X"), ("effect", "Z")):
        draws = columns(design, idata["posterior"].dataset, kind)
        names = design.get(f"{kind}_term", design[f"{kind}_variable"]).to_numpy()
        loadings = design[matrix].to_numpy()
        for term in dict.fromkeys(names):
            here = names == term
            part = draws.to_numpy()[..., here] @ loadings[:, here].T
            parts[term] = parts[term] + part if term in parts else part
    terms = [t for t in TERM_ORDER if t in parts] + [t for t in parts if t not in TERM_ORDER]
    index = {name: draws[name] for name in ("chain", "draw")} | {"term": terms}
    of_row = {name: values for name, values in design.coords.items() if values.dims == ("row",)}
    return xr.DataArray(
        np.stack([parts[t] for t in terms], axis=-1), dims=("chain", "draw", "row", "term"), coords=index | of_row,
        name="contribution",
    )  # fmt: skip


def relative_effects(
    idata: xr.DataTree, *, therapy: tuple[float, ...] = (0.0, 1.0), belief_gap: float = 0.0, dose: float = 1.0
) -> xr.DataArray:
    """Effect of each drug at its reference dose (or ``dose``) against no drug, without and with therapy alike in both conditions.

    Parameters
    ----------
    idata
        A fit with the drug term.
    therapy
        Amounts of therapy to evaluate at; 0 is the pill alone.
    belief_gap
        Difference in belief of having had the active drug that the contrast brings (0: belief held equal; a typical
        double-blind trial: about .5). Needs the expectancy term if not 0.
    dose
        Dose over the reference dose, on the model's own dose curve; :func:`pillprocess.fit_dose_response` estimates the curve.

    Returns
    -------
    DataArray (chain, draw, drug, therapy), at dose 1: delta + v_d + (kappa + w_d / 2) therapy + epsilon belief_gap. Its coordinates
    ``trials`` and ``evidence`` say how many trials tried each setting, and what carries it over where none did.

    Raises
    ------
    ValueError
        The model lacks the drug term, or the expectancy term that ``belief_gap`` needs; a dose that is not positive.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> contrasts = pp.contrasts(evidence, besides=arms)
    >>> idata = pp.fit(pp.decomposition_design(arms, contrasts), seed=1)
    >>> effects = pp.relative_effects(idata)
    >>> effects.dims
    ('chain', 'draw', 'drug', 'therapy')
    >>> int(effects.sel(drug="psilocybin", therapy=0.0)["trials"])
    0
    >>> pp.effect_table(effects).query("drug == 'MDMA' and therapy == 1")["mean"].round(1).tolist()
    [-0.9]
    """
    posterior = idata["posterior"].dataset
    _need(posterior, "delta", "drug")
    amount = xr.DataArray(list(therapy), dims="therapy", coords={"therapy": list(therapy)})
    effect = posterior["delta"] + posterior["v"] + 0 * amount
    if "kappa" in posterior:
        effect = effect + (posterior["kappa"] + posterior["w"] / 2) * amount
    if not 0 < dose < np.inf:
        raise ValueError(f"dose = {dose:g}; a dose over the reference dose must be > 0 and finite")
    if dose != 1:
        effect = effect * float(dose_curve(np.array([dose]), str(design_of(idata).attrs["dose_shape"]))[0])
    if belief_gap:
        _need(posterior, "epsilon", "expectancy")
        effect = effect + posterior["epsilon"] * belief_gap
    return with_settings(effect.transpose("chain", "draw", "drug", "therapy").rename("effect"), design_of(idata))


def predictive_effects(idata: xr.DataTree, *, seed: int, therapy: tuple[float, ...] = (0.0, 1.0)) -> xr.DataArray:
    """Effect of each drug in a new trial: :func:`relative_effects` plus a new trial-specific deviation with SD tau.

    Parameters
    ----------
    idata
        A fit of a decomposition whose terms include the drug.
    seed
        Seed of the deviations.
    therapy
        Amounts of therapy, the same in both arms.

    Returns
    -------
    DataArray (chain, draw, drug, therapy) in the model's unit, with ``trials`` and ``evidence`` as there; negative favours
    the drug.
    """
    effect = relative_effects(idata, therapy=therapy)
    noise = np.random.default_rng(seed).standard_normal(effect.isel(therapy=0).shape)
    deviation = idata["posterior"].dataset["tau"] * xr.DataArray(noise, dims=("chain", "draw", "drug"))
    return (effect + deviation).transpose("chain", "draw", "drug", "therapy").rename("effect in a new trial")


def trial_effects(idata: xr.DataTree) -> xr.DataArray:
    """Drug effect of each trial at the reference dose, with the trial's own therapy.

    Parameters
    ----------
    idata
        A fit of a decomposition whose terms include the drug.

    Returns
    -------
    DataArray (chain, draw, trial_drug): delta + v_d + u_jd + (kappa + w_d / 2) therapy_j, with the drug as a coordinate.
    """
    posterior, design = idata["posterior"].dataset, design_of(idata)
    _need(posterior, "delta", "drug")
    labels = posterior["trial_drug"].to_numpy()
    drug = np.array([label.rsplit(": ", 1)[1] for label in labels])
    effect = posterior["delta"] + posterior["v"].sel(drug=xr.DataArray(drug, dims="trial_drug")) + posterior["u"]
    if "kappa" in posterior:
        interaction = posterior["kappa"] + posterior["w"] / 2
        effect = effect + interaction.sel(drug=xr.DataArray(drug, dims="trial_drug")) * xr.DataArray(
            [_therapy_of(design, label) for label in labels], dims="trial_drug"
        )
    return effect.transpose("chain", "draw", "trial_drug").rename("effect")


def heterogeneity(idata: xr.DataTree) -> xr.Dataset:
    """Heterogeneity SDs.

    ``tau`` (a drug's effect between trials), ``tau_drug`` (between drugs), ``tau_mu`` (the course between trials) and
    ``tau_context`` (the effects of therapy, waiting list and active comparator between trials).

    Parameters
    ----------
    idata
        A fit of a decomposition, by either route.

    Returns
    -------
    Dataset (chain, draw) of those that the model has, in its unit.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> contrasts = pp.contrasts(evidence, besides=arms)
    >>> idata = pp.fit(pp.decomposition_design(arms, contrasts), seed=1)
    >>> list(pp.heterogeneity(idata).data_vars)
    ['tau', 'tau_drug', 'tau_mu', 'tau_context']
    """
    posterior = idata["posterior"].dataset
    return posterior[[v for v in SCALES if v in posterior]]


def _therapy_of(design: xr.Dataset, trial_drug: str) -> float:
    """Therapy per dose unit in the trial's drug rows; 0 where the drug was given without therapy."""
    z = design["Z"].sel(effect=f"u[{trial_drug}]").to_numpy()
    interaction = design["X"].sel(coefficient="kappa").to_numpy()
    rows = z != 0
    return float(np.mean(interaction[rows] / z[rows]))


def _need(posterior: xr.Dataset, variable: str, term: str) -> None:
    if variable not in posterior:
        raise ValueError(f"the fitted model has no {term} term; fit one whose terms include '{term}'")
