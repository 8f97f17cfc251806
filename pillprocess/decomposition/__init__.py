"""The component model of arms: model, estimands, ledger, influence, predictive checks, figures."""
