"""`make bench`: what the platform does, how fast, on how much, beside what the machine can do.

Every figure is a median of repetitions, and every repetition is taken right after one of its floor
(the framework alone, raw SQL), so that a noisy machine moves both and the ratio holds.
"""
