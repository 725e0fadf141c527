"""Clusters and maps of cells."""
