"""Fingerprints of a warehouse's tables: the content, and nothing but the content."""

from __future__ import annotations

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from include.datasets.registry import datasets
from include.warehouse.connection import WarehouseUnreachableError
from include.warehouse.content_digest import ContentDigest
from include.warehouse.fingerprint import DERIVED_TABLES, UnknownTableError, fingerprint, fingerprints
from include.warehouse.reading import QueryRefusedError, read_batches
from tests.warehouse.bars import DAILY_BAR, load, made_up_bars, shuffled

# How the knowledge came here, as source and batch of a fact.
WHO_AND_WHEN = {"decided_by", "known_at"}
BUSINESS_COLUMNS = [column.name for column in DAILY_BAR.columns]

DERIVED_ROWS = """
    INSERT INTO market.instrument VALUES ('005930', '1995-05-02', '2024-12-30', '삼성전자', 'KOSPI', '');
    INSERT INTO market.instrument_observation VALUES
        ('005930', '삼성전자', 'KOSPI', '', '{[1995-05-02,1996-01-01),[2024-01-02,2024-12-31)}');
    INSERT INTO market.halt VALUES ('005930', '{[2018-04-30,2018-05-04)}');
    INSERT INTO market.corporate_action VALUES
        ('005930', '2018-05-04', 'split', 'applied', '2018-05-03', 2650000, 53000, 0.02, 50, 0.02, 'base', 0.9,
         'shares', 'detection', '2018-05-04 18:00+09');
    INSERT INTO market.base_rounding VALUES ('457630', '2026-01-06', '2026-01-05', 2012, 2015);
    INSERT INTO market.adjustment_factor VALUES ('005930', '1900-01-01', '2018-05-03', 0.02, 50);
    INSERT INTO market.total_return_factor VALUES ('005930', '1900-01-01', '2018-05-03', 0.019);
"""
DERIVED_CHANGES = [
    ("market.instrument", "last_session = '2024-12-27'"),
    ("market.instrument", "name = '삼성'"),
    ("market.instrument_observation", "observed = observed + '{[1997-01-01,1997-01-02)}'"),
    ("market.instrument_observation", "observed = '{[1995-05-02,1996-01-02),[2024-01-02,2024-12-31)}'"),
    ("market.instrument_observation", "section = '우량기업부'"),
    ("market.halt", "halted = halted + '{[2018-05-04,2018-05-08)}'"),
    ("market.corporate_action", "status = 'noted', applied_ratio = 1"),
    ("market.corporate_action", "kind = 'bonus_issue'"),
    ("market.corporate_action", "base_ratio = 0.020000000000000004"),
    ("market.corporate_action", "share_ratio = NULL"),
    ("market.base_rounding", "base_price = 2020"),
    ("market.adjustment_factor", "volume_factor = 50.00000000000001"),
    ("market.total_return_factor", "price_factor = 0.019000000000000003"),
]


def execute(dsn: str, statements: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(statements.encode())


def expected_digest(rows: pa.Table) -> str:
    """The digest of ``rows`` without a database: what every kind of server must give."""
    content = ContentDigest()
    for batch in rows.select(BUSINESS_COLUMNS).to_batches():
        content.update(batch)
    return content.hexdigest


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_loading_and_the_kind_of_server_do_not_matter(warehouse: str, seed: int) -> None:
    rows = made_up_bars()
    load(warehouse, shuffled(rows, seed))
    found = fingerprint(warehouse, "market.daily_bar")
    assert (found.table, found.rows) == ("market.daily_bar", rows.num_rows)
    assert found.digest == expected_digest(rows)


def test_loading_in_several_transactions_is_the_same(warehouse: str) -> None:
    rows = made_up_bars()
    for offset in range(0, rows.num_rows, 900):
        load(warehouse, rows.slice(offset, 900))
    execute(warehouse, "UPDATE market.daily_bar SET volume = volume + 1 WHERE symbol < '000030'")
    execute(warehouse, "UPDATE market.daily_bar SET volume = volume - 1 WHERE symbol < '000030'")
    assert fingerprint(warehouse, "market.daily_bar").digest == expected_digest(rows)


FIRST_BAR = "symbol = '00003K' AND session = (SELECT min(session) FROM market.daily_bar WHERE symbol = '00003K')"
ANOTHER_VALUE = {"text": "{} || 'X'", "boolean": "NOT {}"}


def test_every_changed_cell_shows(warehouse: str) -> None:
    load(warehouse, made_up_bars())
    seen = {fingerprint(warehouse, "market.daily_bar").digest}
    types = {column.name: column.postgres_type for column in DAILY_BAR.columns}
    for name in (*DAILY_BAR.values, "session", "symbol"):  # the key last: it finds the row
        value = ANOTHER_VALUE.get(types[name], "{} + 1").format(name)
        execute(warehouse, f"UPDATE market.daily_bar SET {name} = {value} WHERE {FIRST_BAR}")
        seen.add(fingerprint(warehouse, "market.daily_bar").digest)
    assert len(seen) == len(DAILY_BAR.columns) + 1


def test_a_missing_and_an_added_row_show(warehouse: str) -> None:
    rows = made_up_bars()
    load(warehouse, rows.slice(1))
    missing = fingerprint(warehouse, "market.daily_bar")
    load(warehouse, rows.slice(0, 1))
    assert missing.digest == expected_digest(rows.slice(1)) != expected_digest(rows)
    assert fingerprint(warehouse, "market.daily_bar").digest == expected_digest(rows)


def test_provenance_does_not_show(warehouse: str) -> None:
    load(warehouse, made_up_bars())
    before = fingerprint(warehouse, "market.daily_bar")
    execute(warehouse, "UPDATE market.daily_bar SET source = 'krx_openapi', batch_id = 9999, known_at = now()")
    assert fingerprint(warehouse, "market.daily_bar") == before


@pytest.mark.parametrize(("table", "change"), DERIVED_CHANGES)
def test_changes_of_derived_tables_show(warehouse: str, table: str, change: str) -> None:
    execute(warehouse, DERIVED_ROWS)
    before = fingerprints(warehouse)
    execute(warehouse, f"UPDATE {table} SET {change}")
    after = fingerprints(warehouse)
    assert [one.table for one, other in zip(before, after, strict=True) if one != other] == [table]


def test_the_settings_of_a_server_do_not_matter(warehouse: str) -> None:
    load(warehouse, made_up_bars().slice(0, 100))
    execute(warehouse, DERIVED_ROWS)
    before = fingerprints(warehouse)
    database = psycopg.conninfo.conninfo_to_dict(warehouse)["dbname"]
    for setting in (
        "datestyle = 'German, DMY'",
        "timezone = 'America/New_York'",
        "extra_float_digits = -15",
        "intervalstyle = 'sql_standard'",
        "client_encoding = 'EUC_KR'",
    ):
        execute(warehouse, f"ALTER DATABASE {database} SET {setting}")
    assert fingerprints(warehouse) == before
    assert {each.table for each in before if each.rows} == {"market.daily_bar", *DERIVED_TABLES}


def test_every_table_of_facts_has_a_fingerprint_over_all_its_columns(warehouse: str) -> None:
    """A new table or column is either in the fingerprint or named here with its reason."""
    left_out = {"market.session"}  # computed from the code's calendar
    left_out |= {dataset.revision_table for dataset in datasets().values()}  # the history of loading
    left_out |= {"market.corporate_action_revision", "market.corporate_action_decision"}  # of finding and deciding
    with psycopg.connect(warehouse) as connection:
        columns = connection.execute(
            """
            SELECT relation.oid::regclass::text, array_agg(attname::text)
            FROM pg_class AS relation JOIN pg_attribute ON attrelid = relation.oid
            WHERE relnamespace = 'market'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
              AND attnum > 0 AND NOT attisdropped
            GROUP BY relation.oid
            """
        ).fetchall()
    facts = {dataset.table for dataset in datasets().values()}
    assert {table for table, _ in columns} - left_out == {each.table for each in fingerprints(warehouse)}
    for table, names in columns:
        if table not in facts | left_out:
            assert {name for name in names if name not in DERIVED_TABLES[table]} <= WHO_AND_WHEN, table


def test_a_table_without_a_fingerprint_is_refused_by_name(warehouse: str) -> None:
    with pytest.raises(UnknownTableError, match=r"'daily_bar'; there are: market\.daily_bar, market\.\w+"):
        fingerprints(warehouse, ["daily_bar"])


def test_some_tables_can_be_asked_for(warehouse: str) -> None:
    found = fingerprints(warehouse, ["market.instrument", "market.daily_bar"])
    assert [(each.table, each.rows) for each in found] == [("market.instrument", 0), ("market.daily_bar", 0)]


def test_a_server_that_does_not_answer_is_told_without_the_password(unused_port: int) -> None:
    with pytest.raises(WarehouseUnreachableError, match=f"127.0.0.1:{unused_port}/w") as raised:
        fingerprint(f"postgresql://reader:hidden@127.0.0.1:{unused_port}/w", "market.daily_bar")
    assert "hidden" not in str(raised.value)


def test_a_server_that_breaks_off_is_an_error_and_not_the_end_of_the_rows(warehouse: str) -> None:
    many_rows = sql.SQL("SELECT repeat('x', 1000) FROM generate_series(1, 200000)")
    with read_batches(warehouse, many_rows) as batches:
        next(batches)
        execute(
            warehouse,
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        with pytest.raises(WarehouseUnreachableError, match="broke off while rows were read"):
            list(batches)


def test_a_query_the_server_refuses_is_told_without_the_query(warehouse: str) -> None:
    query = sql.SQL("SELECT nothing, {} FROM market.daily_bar").format(sql.Literal("x" * 10_000))
    with (
        pytest.raises(QueryRefusedError, match='column "nothing" does not exist') as raised,
        read_batches(warehouse, query),
    ):
        pass
    assert len(str(raised.value)) < 500


def test_reading_writes_nothing(warehouse: str) -> None:
    with read_batches(warehouse, sql.SQL("SELECT current_user::text")) as batches:
        assert next(batches).column(0).to_pylist() == ["analyst"]
