"""Writes suite runs as Great Expectations' Data Docs: pages on disk that need no network to be read.

``<reports>/data_docs/`` holds ``index.html``, a page and a summary per run under ``runs/``, a page per suite
under ``suites/``, and what they all load under ``static/``.
"""

from __future__ import annotations

import copy
import fcntl
import html
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from include.quality.validate import SuiteReport

if TYPE_CHECKING:
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import Template

KEPT_RUNS = 60

_STATIC = Path(__file__).parent / "static"
_TEMPLATES = Path(__file__).parent / "templates"
_KST = ZoneInfo("Asia/Seoul")


def write_data_docs(reports: Path, *runs: SuiteReport) -> Path:
    """Write a page for each of ``runs``, and the index of the latest ``KEPT_RUNS``; returns the index's path.

    Older runs' pages are removed. May be called by several processes at a time.
    """
    site = reports / "data_docs"
    latest = sorted(runs, key=lambda run: run.checked_at)[-KEPT_RUNS:]
    pages = {_name(run): _run_page(run) for run in latest}
    suites = {run.suite: _suite_page(run) for run in {run.suite: run for run in latest}.values()}
    with _locked(site):
        shutil.copytree(_STATIC, site / "static", dirs_exist_ok=True)
        for run in latest:
            _write(site / "runs" / f"{_name(run)}.html", pages[_name(run)])
            _write(site / "runs" / f"{_name(run)}.json", json.dumps(_summary(run), ensure_ascii=False))
        for suite, page in suites.items():
            _write(site / "suites" / f"{suite}.html", page)
        _write(site / "index.html", _index(_keep_latest(site / "runs")))
    return site / "index.html"


def _run_page(run: SuiteReport) -> str:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    validation = copy.deepcopy(run.validation)
    for result in validation.results:
        configuration = result.expectation_config
        column = configuration.kwargs.get("column") if configuration else None
        result.result = _presentable(result.result, column)
    document = ValidationResultsPageRenderer().render(validation).to_json_dict()
    # The header of the first section links to where Great Expectations would keep the suite; ours is below it.
    del document["sections"][0]["content_blocks"][0]
    return _template("run.html").render(document, root="../", run=run, checked=_checked(run))


def _suite_page(run: SuiteReport) -> str:
    from great_expectations.render.renderer.page_renderer import ExpectationSuitePageRenderer

    renderer = ExpectationSuitePageRenderer()
    document = renderer.render(run.definition).to_json_dict()  # type: ignore[no-untyped-call]
    return _template("suite.html").render(document, root="../", suite=run.suite)


def _index(summaries: list[dict[str, Any]]) -> str:
    return _template("index.html").render(root="", runs=summaries, kept=KEPT_RUNS)


def _presentable(result: dict[str, Any], column: str | None) -> dict[str, Any]:
    """The result of an expectation on ``column`` as the templates can show it.

    They put values into the page as they are, list rows by key only where all of them are given, and lose
    the values of a column that is part of the key.
    """
    escaped: dict[str, Any] = _escape(result)
    if "partial_unexpected_index_list" in escaped:
        escaped["unexpected_index_list"] = escaped["partial_unexpected_index_list"]
        escaped["unexpected_list"] = escaped["partial_unexpected_list"]
        escaped["unexpected_index_column_names"] = [
            name for name in escaped["unexpected_index_column_names"] if name != column
        ]
    return escaped


def _escape(value: Any) -> Any:
    """``value`` with all text in it safe to put into a page: it is what a source published."""
    match value:
        case str():
            return html.escape(value)
        case list():
            return [_escape(item) for item in value]
        case dict():
            return {key: _escape(item) for key, item in value.items()}
        case _:
            return value


def _template(name: str) -> Template:
    return _view().env.get_template(name)


@cache
def _view() -> DefaultJinjaPageView:
    """Great Expectations' own templates for all within a page; ours for the frame, which load nothing remote."""
    from great_expectations.render.view.view import DefaultJinjaPageView

    return DefaultJinjaPageView(custom_views_directory=str(_TEMPLATES))


def _summary(run: SuiteReport) -> dict[str, Any]:
    """What the index says of a run."""
    return {
        "suite": run.suite,
        "batch_id": run.batch_id,
        "checked_at": run.checked_at.isoformat(),
        "checked": _checked(run),
        "page": f"runs/{_name(run)}.html",
        "rows": max((result.element_count for result in run.results if result.element_count is not None), default=None),
        "expectations": len(run.results),
        "failed": [
            {"target": result.target, "expectation": result.expectation, "rows": result.unexpected_count}
            for result in run.results
            if not result.success
        ],
    }


def _keep_latest(folder: Path) -> list[dict[str, Any]]:
    """The summaries of the latest runs, newest first; removes the files of the others."""
    summaries = {path: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    newest_first = sorted(summaries, key=lambda path: summaries[path]["checked_at"], reverse=True)
    for path in newest_first[KEPT_RUNS:]:
        path.unlink()
        path.with_suffix(".html").unlink(missing_ok=True)
    return [summaries[path] for path in newest_first[:KEPT_RUNS]]


@contextmanager
def _locked(site: Path) -> Iterator[None]:
    """Holds the site for one writer at a time; the lock ends with its process."""
    for folder in ("runs", "suites"):
        (site / folder).mkdir(parents=True, exist_ok=True)
    with (site / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    """Put ``text`` in place whole: no reader sees half a page, whenever the writer dies."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _name(run: SuiteReport) -> str:
    return f"{run.suite}-{run.batch_id}"


def _checked(run: SuiteReport) -> str:
    return f"{run.checked_at.astimezone(_KST):%Y-%m-%d %H:%M:%S} KST"
