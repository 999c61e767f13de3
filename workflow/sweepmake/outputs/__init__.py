"""What is shown: the workbook, the PDFs, the page, the report."""

__all__ = ["TABLES"]

TABLES = ("experiments.xlsx", "experiments.csv", "experiments.json", "experiments.html")
"""The files, in the folder of results, that hold the table of all experiments; made as one."""
