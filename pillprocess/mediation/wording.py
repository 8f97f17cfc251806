"""What effects are differences or ratios of, in words."""

from collections.abc import Mapping

from pillprocess.mediation.choices import ORDINAL, RISKS

RATIOS = {
    "log_odds_ratio": "log odds ratio", "log_risk_ratio": "log risk ratio", "log_rate_ratio": "log rate ratio",
    "log_time_ratio": "log ratio",
}  # fmt: skip


def scale_words(
    scale: str, of: Mapping[str, float] | None, *, family_outcome: str, outcome: str, event: str | None = None
) -> str:
    """Say the scale of effects on an outcome: ``difference of means of madrs``, ``log odds ratio of the chance of at least 4 on cgi``."""
    if not of:
        means = f"means of {outcome}" if family_outcome not in ORDINAL else f"mean scores of {outcome}"
        return RATIOS.get(scale, f"difference of {'risks' if family_outcome in RISKS else means}")
    what, value = next(iter(of.items()))
    compared = {
        "at_least": f"the chance of at least {value:g} on {outcome}",
        "free_at": f"the chance of being free of {event} at {outcome} {value:g}",
        "up_to": f"the mean {outcome} free of {event} up to {value:g}".removesuffix(" up to inf"),
    }
    return f"{RATIOS.get(scale, 'difference')} of {compared[what]}"
