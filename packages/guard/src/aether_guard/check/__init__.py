"""Pair summaries, judge them by a policy, and keep baselines."""
