"""The decomposition with process terms informed by trials of other treatments, beside the one from these trials alone."""

import pandas as pd

from pillprocess.decomposition.identifiability import NAMES, contraction, evidence_of
from pillprocess.decomposition.information import information_shares
from pillprocess.decomposition.model import decomposition_design
from pillprocess.inference.fit import fit
from pillprocess.rows.terms import HEADLINE
from pillprocess.synthesis.outside import TRANSPORT, outside_evidence

ALONE = "these trials alone"


def informed_terms(
    arms: pd.DataFrame, differences: pd.DataFrame, *, seed: int, scales: tuple[float, ...] = TRANSPORT
) -> pd.DataFrame:
    """Fit the headline terms with belief, in closed form, with and without what was randomised elsewhere.

    Parameters
    ----------
    arms, differences
        Model rows.
    seed
        Of the draws.
    scales
        How far therapy and belief may differ here from there, root mean square in SDs.

    Returns
    -------
    DataFrame, one row per term and scale: ``transport_name`` (``"these trials alone"`` first), ``term``, ``mean``, ``ci_low``,
    ``ci_high``, ``evidence`` and ``share_prior``, the part of the information that is not these trials'.
    """
    told = outside_evidence(("therapy", "belief"))
    settings: dict[str, dict[str, object]] = {ALONE: {}}
    settings |= {f"{scale:g}": {"informed": told, "prior_transport_sd": scale} for scale in scales}
    parts = []
    for name, how in settings.items():
        design = decomposition_design(arms, differences, terms=HEADLINE | {"expectancy"}, **how)  # type: ignore[arg-type]
        idata = fit(design, seed=seed, by_row=False)
        shares = information_shares(idata)
        known = contraction(idata).assign(transport_name=name, term=lambda t: t["variable"].replace(NAMES))
        known["evidence"] = [evidence_of(v, shares.loc[v], design) for v in known["variable"]]
        known["share_prior"] = shares["share_prior"].reindex(known["variable"]).to_numpy()
        parts.append(known[["transport_name", "term", "mean", "ci_low", "ci_high", "evidence", "share_prior"]])
    return pd.concat(parts, ignore_index=True)
