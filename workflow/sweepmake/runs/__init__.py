"""What ran: the stage runner, which starts once per run, its records, the experiments."""
