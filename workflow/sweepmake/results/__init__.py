"""What came of it: the experiments, how they ended, and the table of all that is known of them."""
