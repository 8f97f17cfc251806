r"""How much effects differ between clusters: the effects in each, and the spread of the indirect effect.

.. math:: var(a_j b_j) = a^2\tau_b^2 + b^2\tau_a^2 + \tau_a^2\tau_b^2 + 2ab\,cov(a, b) + cov(a, b)^2

(Bauer, Preacher & Gil 2006, doi:10.1037/1082-989X.11.2.142).
"""

import numpy as np
import xarray as xr

from pillprocess.mediation.clusters import variable_part
from pillprocess.mediation.draws import cluster_keys, coefficients, compared_arm, flat, in_clusters, profiles, stack
from pillprocess.mediation.effects import effects_of


def natural_effects_by_cluster(idata: xr.DataTree, *, cluster: str | None = None, arm: str | None = None) -> xr.Dataset:
    """Compute te, pnde and tnie in every cluster of one kind.

    Parameters
    ----------
    idata
        Fit of `mediation` to participants with clusters.
    cluster
        Column of the clusters; needed where there are several.
    arm
        Active arm to compare with the reference; needed where there are several.

    Returns
    -------
    Dataset of draws with dims chain, draw and cluster: what would be expected if everybody were in that cluster, clusters of
    other kinds being average ones. Effects of one cluster alone are drawn towards the mean.

    Raises
    ------
    ValueError
        The fit has no clusters, or several kinds and none is named.
    """
    arm = compared_arm(idata, arm)
    keys = cluster_keys(idata)
    at = _which(cluster, [name for _, name in keys])
    dim = f"cluster_{keys[at][0]}"
    names = [str(v) for v in idata["posterior"].dataset[dim].to_numpy()]
    population = coefficients(idata, arm)
    X, weight, _ = profiles(idata, None, linear=population.linear and not population.moderated)
    members = np.full(len(keys), -1)
    effects = []
    for number in range(len(names)):
        members[at] = number
        own = in_clusters(idata, population, members, arm, group="posterior")
        effects.append(effects_of([(own, X, weight)], np.zeros(own.a.shape[1])))
    draws = {name: np.stack([e[name] for e in effects], axis=1) for name in ("te", "pnde", "tnie")}
    return stack(idata, draws, "posterior", cluster=names)


def cluster_variation(idata: xr.DataTree, *, cluster: str | None = None, arm: str | None = None) -> xr.Dataset:
    """Compute how much clusters of one kind differ.

    Parameters
    ----------
    idata, cluster, arm
        As in `natural_effects_by_cluster`.

    Returns
    -------
    Dataset of draws: ``sd`` (dim effect), the SD of each coefficient between clusters, in the units of the data (of an intercept, at
    the mean mediator); ``share`` (dim of), the share of the variance between people of one arm and covariates that lies between
    clusters, for a continuous mediator and outcome whose effects do not vary; where a or b varies, ``tnie_sd`` (dim mediator), the
    SD of the indirect effect between clusters, for a continuous mediator and outcome.

    Raises
    ------
    ValueError
        The fit has no clusters, or several kinds and none is named.
    """
    arm = compared_arm(idata, arm)
    keys = cluster_keys(idata)
    key = keys[_which(cluster, [name for _, name in keys])][0]
    posterior = idata["posterior"].dataset
    tau = posterior[f"tau_{key}"].rename({f"effect_{key}": "effect"})
    names = [str(v) for v in tau["effect"].to_numpy()]
    out = xr.Dataset({"sd": tau})
    k = coefficients(idata, arm)
    if not k.linear:
        return out
    mediators = [str(q) for q in posterior["mediator"].to_numpy()]
    if not any(name.startswith(("a[", "b[", "c[")) for name in names):
        pairs = [(m, f"alpha_m[{m}]", flat(posterior["sigma_m"])[:, q]) for q, m in enumerate(mediators)]
        pairs.append(
            (str(idata["constant_data"].dataset["outcome"].to_numpy()[0]), "alpha_y", flat(posterior["sigma_y"]))
        )
        known = [(of, flat(tau.sel(effect=label)) ** 2, sd**2) for of, label, sd in pairs if label in names]
        share = np.stack([between / (between + within) for _, between, within in known], axis=1)
        return out.merge(stack(idata, {"share": share}, "posterior", of=[of for of, *_ in known]))
    spread = np.stack(
        [
            _indirect_sd(posterior, key, names, k.a[:, q], (k.b + k.theta)[:, q], m, arm)
            for q, m in enumerate(mediators)
        ],
        1,
    )
    return out.merge(stack(idata, {"tnie_sd": spread}, "posterior", mediator=mediators))


def visit_cluster_variation(idata: xr.DataTree, *, cluster: str | None = None) -> xr.Dataset:
    """Compute how much clusters of one kind differ in the level of mediators and of the outcome at several visits.

    Parameters
    ----------
    idata
        Fit of `repeated_mediation` to people with clusters.
    cluster
        Column of the clusters; needed where there are several.

    Returns
    -------
    Dataset of draws: ``sd`` (dim effect), the SD of each level between clusters, in the units of the data; ``share`` (dim of: mediators
    and visits), the share of the variance between people of one arm, covariates and (of a visit) mediators that lies between clusters.

    Raises
    ------
    ValueError
        The fit has no clusters, or several kinds and none is named.
    """
    posterior = idata["posterior"].dataset
    kinds = [str(d).removeprefix("cluster_") for d in posterior.dims if str(d).startswith("cluster_")]
    key = kinds[_which(None if cluster is None else variable_part(cluster), kinds)]
    tau = posterior[f"tau_{key}"].rename({f"effect_{key}": "effect"})
    of_m = tau.isel(effect=slice(0, -1)).rename(effect="of").assign_coords(of=posterior["mediator"].to_numpy()) ** 2
    of_y = tau.isel(effect=-1, drop=True) ** 2
    within_m = posterior["sigma_m"].rename(mediator="of") ** 2
    within_y = posterior["sigma_y"].rename(visit="of") ** 2
    share = xr.concat([of_m / (of_m + within_m), of_y / (of_y + within_y)], dim="of")
    return xr.Dataset({"sd": tau, "share": share})


def _indirect_sd(
    posterior: xr.Dataset, key: str, names: list[str], a: np.ndarray, b: np.ndarray, mediator: str, arm: str
) -> np.ndarray:
    labels = [f"a[{mediator}, {arm}]", f"b[{mediator}]"]
    sd_a, sd_b = (flat(posterior[f"tau_{key}"].sel({f"effect_{key}": x})) if x in names else 0 * a for x in labels)
    covariance, pair = 0 * a, " ~ ".join(labels)
    if f"correlation_{key}" in posterior and pair in posterior[f"effect_pair_{key}"]:
        covariance = sd_a * sd_b * flat(posterior[f"correlation_{key}"].sel({f"effect_pair_{key}": pair}))
    return np.sqrt(a**2 * sd_b**2 + b**2 * sd_a**2 + sd_a**2 * sd_b**2 + 2 * a * b * covariance + covariance**2)


def _which(cluster: str | None, names: list[str]) -> int:
    if cluster is None and len(names) == 1:
        return 0
    if cluster not in names:
        listed = ", ".join(names) or "none: name them with clusters= of load_participants"
        raise ValueError(f"cluster = {cluster!r}: name one of this fit's kinds of clusters, {listed}")
    return names.index(cluster)
