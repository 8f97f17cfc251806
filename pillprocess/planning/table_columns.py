"""What a table of expected information holds, whatever the fit."""

SIZES = (10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 125, 150, 200, 250, 300, 400, 500, 650, 800, 1000)
"""People per arm, on average over the arms."""

DECISIONS = {"mediated": "more than half known at .95", "accounts": "odds of 10"}
INTERVAL = "95 % interval excludes 0"
COLUMNS = [
    "design", "drug", "estimand", "decision", "n_per_arm", "people", "mean", "sd_now", "sd_after", "reduction", "below_now",
    "decided_now",
    "assurance", "assurance_se", "misleading",
]  # fmt: skip
LIMIT = 10_000_000.0
"""People per arm that stand for a trial without end."""
