"""Treatments: their profiles, which of them look alike, how far each is from the control, and its dose."""
