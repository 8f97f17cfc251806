"""What a table of expected information holds, whatever the fit."""

DECISIONS = {"mediated": "more than half known at .95", "accounts": "odds of 10"}
INTERVAL = "95 % interval excludes 0"
COLUMNS = [
    "design", "drug", "estimand", "decision", "n_per_arm", "people", "mean", "sd_now", "sd_after", "reduction", "decided_now",
    "assurance", "assurance_se", "misleading",
]  # fmt: skip
LIMIT = 10_000_000.0
"""People per arm that stand for a trial without end."""
