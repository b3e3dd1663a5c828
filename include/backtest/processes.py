"""Work on what is too large to be handed to other processes: those split off share it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from threading import Thread
from typing import Any, TypeVar

from include.backtest.errors import ProcessKilledError

_MOST_PROCESSES = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_in_processes(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """``work`` on each of ``items``, in order, by as many processes as there are processors.

    They have what ``work`` holds from this one; only items and results are copied.

    Raises:
        ProcessKilledError: one of them was ended from outside.
        Exception: what ``work`` raises.
    """
    split = multiprocessing.get_context("fork")
    processes = min(_processors(), _MOST_PROCESSES)
    with ProcessPoolExecutor(processes, split, initializer=_Worker.begin, initargs=(work,)) as pool:
        try:
            yield from pool.map(_Worker.do, items)
        except BrokenProcessPool as error:
            raise ProcessKilledError(
                "a process that did a part of the work was killed: most often the machine has too little memory for "
                "the history held. Free some, or run where there is more"
            ) from error


def keep_cached(owner: object) -> None:
    """Work out all cached properties of ``owner`` now, so that processes split off later share them."""
    for name, attribute in vars(type(owner)).items():
        if isinstance(attribute, cached_property):
            getattr(owner, name)


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Worker:
    """A process that was split off."""

    work: Callable[[Any], Any]

    @classmethod
    def begin(cls, work: Callable[[Any], Any]) -> None:
        cls.work = work
        # Looking for cycles among millions of signals takes a tenth of the time; what there are end with the process.
        gc.disable()
        # A progress bar stands in the place of these; its lock may have been held when this process was split off.
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        Thread(target=_end_with_parent, daemon=True).start()

    @classmethod
    def do(cls, item: Any) -> Any:
        return cls.work(item)


def _end_with_parent() -> None:
    """A killed run leaves nobody behind who holds the whole market in memory."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
