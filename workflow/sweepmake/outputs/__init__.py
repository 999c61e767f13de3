"""What is shown: the workbook, the PDFs, the page, the report."""
