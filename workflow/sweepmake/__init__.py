"""Sweepmake: parameter sweeps of training runs as a Snakemake workflow."""
