"""What notebooks and scripts import: results as DataFrames, the Examiner."""
