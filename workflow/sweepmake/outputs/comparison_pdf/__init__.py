"""comparison.pdf: all experiments side by side."""
