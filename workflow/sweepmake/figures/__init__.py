"""The figures: one PDF per experiment with every rank, and one that compares all experiments.

Only the modules in here import matplotlib.
"""
