"""Embeddings scored by a label: what is asked, what is answered, and how sure the answer is."""
