"""Turns run directories into numbers, curves and report pages."""

from experiments.reporting import matplotlib_folder

matplotlib_folder.prepare()
