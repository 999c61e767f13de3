"""experiments.xlsx and experiments.csv: what stands on each sheet, and how it is written.

Only the modules in here import openpyxl, and `logs/excel`.
"""
