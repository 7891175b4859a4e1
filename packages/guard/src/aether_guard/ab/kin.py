"""Lives whose workers the same two processes have forked: how many those are, and what their likeness costs. Pure.

What such lives have in common is luck that no coin turns round between them: the fewer the better. With fewer short
ones, though, the next processes, which come up beside the measuring, would be waited for.
"""

from __future__ import annotations

#: As many lives are forked by the same two processes as have so many pairs, but so many lives in any case.
PAIRS_A_NEST = 8
LEAST_LIVES_A_NEST = 2
#: What those of one pair have in common, as a share of the variance of lives. Where more was measured, what bets leave
#: unused makes up for some of that (docs/ab.md).
IN_COMMON = 0.015
#: The share grows with a life's pairs, as their noise is what gets less; longer lives than this there are only where
#: they vary by more than most do.
MOST_TIMES_IN_COMMON = 5


def lives_a_nest(pairs: int) -> int:
    """Return how many lives of so many pairs are forked by the same processes."""
    return max(LEAST_LIVES_A_NEST, PAIRS_A_NEST // pairs)


def has_room(lives: int, lives_pairs: int, pairs: int) -> bool:
    """Return whether processes that forked so many lives, of so many pairs in all, may fork another one of `pairs`."""
    return lives < LEAST_LIVES_A_NEST or lives_pairs + pairs <= PAIRS_A_NEST


def weight_of_life(pairs: int, *, forked: bool) -> float:
    """Return the power to which the outcome of a bet on a life of so many pairs is raised: 1 where nobody forks.

    The sum of the scores of n lives that have a share r in common varies by 1 + (n - 1) r times what it would without.
    If they are normal, a product of bets made as if they were fresh is fair again once it is raised to the power of
    that figure's inverse. A power below 1 is no gift to fresh ones either: it is concave (Jensen 1906, Sur les
    fonctions convexes et les inegalites entre les valeurs moyennes), so a fair bet becomes a losing one.
    """
    if not forked:
        return 1.0
    in_common = IN_COMMON * min(pairs, MOST_TIMES_IN_COMMON)
    return 1 / (1 + in_common * (lives_a_nest(pairs) - 1))
