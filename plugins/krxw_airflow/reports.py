"""What tasks hand each other about a batch: references and counts, never rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.pipeline.report import BatchReport


def batch_reference(report: BatchReport) -> dict[str, Any]:
    """``report`` as an XCom: plain JSON. ``latest_loaded`` is the last loaded session's ISO date, or None."""
    return {
        "batch_id": report.batch_id,
        "status": report.status,
        "summary": report.summary(),
        "latest_loaded": max(report.sessions).isoformat() if report.sessions else None,
    }
