"""Run directories in; numbers, curves and pages out."""
