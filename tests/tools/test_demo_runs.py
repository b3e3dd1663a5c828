"""How the demo follows runs, against an Airflow that answers from a script."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console
from rich.status import Status

from include.platform.airflow_client import AirflowError
from tools import demo_runs
from tools.demo_runs import follow_chain, wait_for_scheduler

Run = dict[str, str]


class Scripted:
    """Answers each question about a DAG's runs with the next of its lists, and the last one for ever."""

    def __init__(self, runs: dict[str, list[list[Run]]], due: list[str] | None = None) -> None:
        self._runs = runs
        self._due = due or []

    def runs(self, dag_id: str) -> list[Run]:
        answers = self._runs[dag_id]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def get(self, _: str) -> dict[str, str]:
        return {"next_dagrun_run_after": self._due.pop(0)}

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float) -> None:
        raise AirflowError(f"{dag_id} {run_id} failed within {timeout}")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_runs, "POLL_SECONDS", 0)


def run(name: str, state: str) -> Run:
    return {"dag_run_id": name, "state": state}


def follow(client: Any, earlier: dict[str, set[str]], done: list[bool]) -> None:
    follow_chain(client, earlier, lambda: done.pop(0), Status("", console=Console(quiet=True)))


def test_a_chain_ends_when_all_is_done_and_nothing_is_at_work() -> None:
    client = Scripted({"a": [[], [run("1", "running")], [run("1", "success")]], "b": [[], [], [run("2", "success")]]})
    done = [False, True]
    follow(client, {"a": set(), "b": set()}, done)
    assert done == []


def test_an_earlier_run_still_at_work_is_waited_for() -> None:
    client = Scripted({"a": [[run("0", "running")], [run("0", "success")]]})
    done = [True]
    follow(client, {"a": {"0"}}, done)
    assert done == []


def test_a_failed_run_ends_it_and_an_earlier_failure_does_not() -> None:
    follow(Scripted({"a": [[run("0", "failed")]]}), {"a": {"0"}}, [True])
    with pytest.raises(AirflowError, match="a 1 failed"):
        follow(Scripted({"a": [[run("0", "failed"), run("1", "failed")]]}), {"a": {"0"}}, [True])


def test_the_scheduler_is_given_time_to_make_what_was_due() -> None:
    client: Any = Scripted({}, ["2020-01-02T09:00:00+00:00", "2999-01-02T09:00:00+00:00"])
    assert wait_for_scheduler(client, "daily_bars") == "2999-01-02T09:00:00+00:00"
