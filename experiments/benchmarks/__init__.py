"""Benchmarks: measured speeds and sizes, each compared with its limit."""
