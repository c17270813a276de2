"""Bytes to text, syntax tree and comments."""
