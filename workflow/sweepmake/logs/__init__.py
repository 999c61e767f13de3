"""From the logs of distributed runs to the numbers of each rank."""
