"""A connection that cannot be had says which and why, and never the password."""

from __future__ import annotations

import pytest

from include.settings import NoWarehouseError, load_settings
from include.warehouse.connection import WarehouseUnreachableError, connect


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://someone:very-secret@127.0.0.1:1/warehouse", "this is not a DSN very-secret"],
)
def test_a_wrong_dsn_is_told_without_its_password(dsn: str) -> None:
    with pytest.raises(WarehouseUnreachableError) as caught:
        connect(dsn)
    assert "KRXW_WAREHOUSE_DSN" in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_no_warehouse_at_all_says_what_to_do(tmp_path) -> None:
    with pytest.raises(NoWarehouseError, match="make up"):
        load_settings({"KRXW_HOME": str(tmp_path)}).warehouse_dsn  # noqa: B018
