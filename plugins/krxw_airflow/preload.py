"""What tasks load, for the process their workers are forked from: ``[scheduler] mp_forkserver_preload``.

Loaded there, once, it costs a task nothing. A task that has to load it takes four seconds of a processor for the
modules and four more for the calendar.
"""

from __future__ import annotations

import great_expectations.render.renderer.page_renderer
import great_expectations.render.view.view
import great_expectations.validator.validator  # noqa: F401

import include.pipeline.due
import include.quality.suite  # noqa: F401
from include.datasets.registry import datasets
from include.market.calendar import LAST_KNOWN_DAY, is_session

datasets()
is_session(LAST_KNOWN_DAY)
