"""The parts of the report: each turns one room's results into words, tables and pictures."""
