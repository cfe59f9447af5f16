"""Answers that are waited for at once: taken in their order, so many at a time, each with its own failure."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from drift.scanning.at_once import begun_ahead
from tests.drift.conftest import Application
from tests.sandbox.proxy import Exchange, Proxy

SECONDS = 10.0


def test_results_come_in_the_order_of_the_work_whatever_is_done_first() -> None:
    second_is_done = threading.Event()

    def first() -> str:
        assert second_is_done.wait(SECONDS)
        return "first"

    def second() -> str:
        second_is_done.set()
        return "second"

    assert [wait() for wait in begun_ahead([first, second], at_once=2)] == ["first", "second"]


@pytest.mark.parametrize(("count", "at_once"), [(0, 4), (1, 4), (4, 4), (9, 4), (3, 1)])
def test_no_more_than_allowed_is_under_way(count: int, at_once: int) -> None:
    begun: list[int] = []

    def work() -> Iterator[Callable[[], int]]:
        for number in range(count):
            begun.append(number)
            yield partial(int, number)

    for taken, wait in enumerate(begun_ahead(work(), at_once)):
        assert len(begun) - taken <= at_once
        assert wait() == taken
    assert len(begun) == count


def test_a_failure_comes_in_its_turn_and_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        return 1 // number

    def all_work() -> Iterator[Callable[[], int]]:
        for number in (1, 0, 1, 1):
            begun.append(number)
            yield partial(work, number)

    waiting = begun_ahead(all_work(), at_once=2)
    assert next(waiting)() == 1
    with pytest.raises(ZeroDivisionError):
        next(waiting)()
    waiting.close()  # type: ignore[attr-defined]
    assert begun == [1, 0, 1]


def test_objects_that_git_does_not_have_are_looked_for_in_four_kinds_at_once(
    proxied: tuple[Application, Proxy],
) -> None:
    application, running = proxied
    others_came = threading.Semaphore(0)

    def wait_for_three_others(exchange: Exchange) -> None:
        if all(others_came.acquire(timeout=SECONDS) for _ in range(3)):
            exchange.pass_on()
        else:
            exchange.send(403, b"{}")

    def note(exchange: Exchange) -> None:
        others_came.release()
        exchange.pass_on()

    kinds = "persistentvolumeclaims|pods|replicationcontrollers|secrets"
    running.on("/persistentvolumeclaims", wait_for_three_others)
    running.on(f"/({kinds})", note, times=9)

    scanned = application.report(kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 1
    assert not [note for note in scanned.document["notes"] if "not looked for" in note]
