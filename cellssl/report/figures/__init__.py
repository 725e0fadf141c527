"""Figures as pure functions: tables and arrays in, matplotlib Figures out."""
