"""The items of AGReMA, filled from the synthesis: a mediation analysis of published evidence."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.output.pages import estimate


def mediation_record(tables: Mapping[str, pd.DataFrame], seed: int) -> dict[str, str]:
    """Return what the synthesis says to the items of AGReMA (Lee et al. 2021, doi:10.1001/jama.2021.14075) that it can know."""
    kinds, paths, rows = tables["synthesis_evidence"], tables["synthesis_effects"], tables["rows"]
    joined = "; ".join(f"{r.kind}: {r.n:.0f} {r.unit}" for r in kinds.itertuples())
    own = paths[(paths["path"] == "experience") & (paths["n_trials"] > 0)].sort_values(
        "n_trials", ascending=False, kind="stable"
    )
    effects = "; ".join(f"{r['drug']} {estimate(r)}" for r in own.drop_duplicates("drug").to_dict("records"))
    shares = "; ".join(
        f"{r.drug} {r.p_half:.2f} ({r.prior_p_half:.2f})" for r in tables["synthesis_causal_share"].itertuples()
    )
    power = tables["synthesis_power"]
    return {
        "3": "Torrado Pacheco & Moghaddam 2024, doi:10.1172/JCI180217: the experience may carry the effect, or accompany it.",
        "4": "How much of each drug's effect runs through the acute experience, and how much through belief.",
        "6": f"Published results joined in one likelihood: {joined}.",
        "7": f"The included trials; {rows['trial'].nunique()} in the headline model. Sources in data/trials.csv.",
        "8": "None was planned; what this evidence could have shown was simulated at its shape." if len(power) else "",
        "9": "Effect of the reference dose against an inert control in a blinded trial: total, direct, drug x therapy, through the "
        "experience, through belief.",
        "10": "The path diagram.",
        "11": "Dose is randomised; experience and belief are not. The association of experience and improvement is a causal slope and a "
        "bias that has a prior; belief has one slope, read as causal; neither interacts with the dose.",
        "12": "Acute scales by drug in data/drugs.csv and subjective.csv, outcomes in outcomes.csv, guesses in expectancy.csv, with times.",
        "13": "Experience and outcome of arms; their association among people within arms.",
        "14": "Bayesian, by NUTS; experience and belief of arms that did not report them are integrated out.",
        "15": "The causal share fixed from 0 to 1, other priors of the bias, pooling between drugs, each kind of evidence removed, each "
        "against the others.",
        "17": f"{rows.loc[rows['kind'] == 'arm', 'n'].sum():.0f} people in the arms of the headline model; by drug under Evidence.",
        "18": f"Through the experience: {effects}. The path diagram has each arrow.",
        "19": f"Probability that more than half of the association is causal (before the data): {shares}.",
        "20": "The section on limitations.",
        "22": "For research: the section on which trial would settle it. For practice: none is drawn.",
        "25": f"data/ with its checksum; pillprocess reproduce --seed {seed}.",
    }  # fmt: skip
