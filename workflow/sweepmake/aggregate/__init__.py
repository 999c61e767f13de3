"""From all experiments' records and summaries to one table, and what is made of it."""
