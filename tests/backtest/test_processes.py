"""Work done by processes split off."""

from __future__ import annotations

import os
import signal
from functools import cached_property

import pytest

from include.backtest.errors import ProcessKilledError
from include.backtest.processes import keep_cached, map_in_processes
from include.indicators.panel import PanelError
from include.warehouse.connection import WarehouseUnreachableError
from include.warehouse.reading import QueryRefusedError


def test_results_come_in_the_order_of_the_items_from_other_processes() -> None:
    found = list(map_in_processes(lambda item: (item**2, os.getpid()), range(20)))
    assert [square for square, _ in found] == [item**2 for item in range(20)]
    assert os.getpid() not in {process for _, process in found}


@pytest.mark.parametrize(
    "error",
    [PanelError("A has no volume", {"A": "no volume"}), QueryRefusedError("no"), WarehouseUnreachableError("gone")],
)
def test_what_is_wrong_comes_back_as_it_was_told(error: Exception) -> None:
    def work(_: int) -> None:
        raise error

    with pytest.raises(type(error), match=str(error)) as raised:
        list(map_in_processes(work, [1]))
    assert vars(raised.value) == vars(error)


def test_a_process_that_is_killed_is_told() -> None:
    def work(item: int) -> int:
        if item == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(ProcessKilledError, match="too little memory"):
        list(map_in_processes(work, range(5)))


def test_what_was_kept_before_is_worked_out_once() -> None:
    class Owner:
        times = 0

        @cached_property
        def value(self) -> int:
            Owner.times += 1
            return 7

    owner = Owner()
    keep_cached(owner)
    assert list(map_in_processes(lambda item: (item + owner.value, Owner.times), [1, 2])) == [(8, 1), (9, 1)]
