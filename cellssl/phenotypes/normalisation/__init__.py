"""Features made comparable without labels: plates, batches and controls levelled, axes whitened."""
