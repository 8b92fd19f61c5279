"""What must be measured on a GPU, in one short command: ``python -m benchmarks.device``.

It needs torch and numpy. A section that needs more is left out where that is missing, and the result says so. Images
are synthetic, since only times, bits and agreement are measured, and no accuracy.
"""
