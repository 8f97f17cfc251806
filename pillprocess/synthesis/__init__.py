"""Every kind of evidence in one likelihood: items, model, fits, effects, hypotheses, conflict, figures, words."""
