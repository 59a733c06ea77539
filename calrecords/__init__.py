"""Calibration records for observatory pipelines."""
