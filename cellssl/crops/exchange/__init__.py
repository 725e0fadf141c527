"""Crops and tables of cells in formats of others, both ways."""
