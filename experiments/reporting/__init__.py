"""Turns run directories into numbers, curves and report pages."""
