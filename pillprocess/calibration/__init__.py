"""Simulation-based calibration of every model."""
