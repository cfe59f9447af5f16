"""Waiting for several answers at once: they are begun ahead of time, and taken in their order."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from drift.cluster.attempt import begin

_Result = TypeVar("_Result")


def begun_ahead(work: Iterable[Callable[[], _Result]], at_once: int) -> Iterator[Callable[[], _Result]]:
    """Begins work on threads, so much at once, and hands out what waits for each result.

    Nothing more is begun once nobody asks for more. What is under way then goes on unheard.

    Args:
        work: Each is done once.
        at_once: How many may be under way when the first of them is waited for.

    Yields:
        In the order of the work, what returns its result, or raises what it raised.
    """
    under_way: deque[Callable[[float], _Result]] = deque()
    for each in work:
        under_way.append(begin(each))
        if len(under_way) == at_once:
            yield partial(under_way.popleft(), math.inf)
    while under_way:
        yield partial(under_way.popleft(), math.inf)
