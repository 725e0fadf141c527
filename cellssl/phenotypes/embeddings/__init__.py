"""Embeddings on disk and in memory: read, matched cell by cell, combined, written in formats of others."""
