"""ranks.pdf: what every rank of one experiment logged."""
