"""Mediation in participants: model, effects, g-computation, sensitivity, figures, the analysis."""
