"""The schema and the registry are two hand-written accounts of the same thing: here they are held to agree."""

from __future__ import annotations

import psycopg
import pytest

from include.datasets.registry import Dataset, datasets
from include.warehouse.migrations import MigrationChangedError, migrate

ALL_DATASETS = [pytest.param(dataset, id=name) for name, dataset in datasets().items()]


def _columns(dsn: str, table: str) -> list[tuple[str, str, bool, str]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum) "
            "FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [table],
        ).fetchall()


@pytest.mark.parametrize("dataset", ALL_DATASETS)
def test_fact_table_is_what_the_registry_declares(warehouse: str, dataset: Dataset) -> None:
    assert _columns(warehouse, dataset.table) == [
        (column.name, column.postgres_type, not column.nullable, column.comment) for column in dataset.table_columns
    ]


@pytest.mark.parametrize("dataset", ALL_DATASETS)
def test_revision_table_holds_the_fact_and_who_replaced_it(warehouse: str, dataset: Dataset) -> None:
    facts = [column[:2] for column in _columns(warehouse, dataset.table)]
    revisions = [column[:2] for column in _columns(warehouse, dataset.revision_table)]
    assert revisions == [
        *facts,
        ("superseded_at", "timestamp with time zone"),
        ("superseded_by", "bigint"),
    ]


@pytest.mark.parametrize("dataset", ALL_DATASETS)
def test_primary_key_is_the_declared_key(warehouse: str, dataset: Dataset) -> None:
    with psycopg.connect(warehouse) as connection:
        [definition] = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'",
            [dataset.table],
        ).fetchone()
    assert definition.replace('"', "") == f"PRIMARY KEY ({', '.join(dataset.key)})"


def test_every_table_view_and_column_carries_a_comment(warehouse: str) -> None:
    with psycopg.connect(warehouse) as connection:
        bare = connection.execute(
            """
            SELECT c.oid::regclass::text, coalesce(a.attname, '(table)')
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            CROSS JOIN LATERAL (
                SELECT NULL::name AS attname, obj_description(c.oid, 'pg_class') AS comment
                UNION ALL
                SELECT attname, col_description(c.oid, attnum) FROM pg_attribute
                WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
            ) a
            WHERE n.nspname IN ('market', 'derived', 'mart', 'ops') AND c.relkind IN ('r', 'p', 'v')
                AND NOT c.relispartition AND a.comment IS NULL
            """
        ).fetchall()
    assert bare == []


def test_migrating_again_applies_nothing(warehouse: str) -> None:
    assert migrate(warehouse) == []


def test_an_edited_migration_is_refused(warehouse: str) -> None:
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE public.schema_migration SET digest = 'x' WHERE name = '0003_operations'")
    with pytest.raises(MigrationChangedError, match="0003_operations"):
        migrate(warehouse)


def test_fact_tables_are_hypertables_where_the_server_has_them(warehouse: str) -> None:
    with psycopg.connect(warehouse) as connection:
        [has_timescaledb] = connection.execute("SELECT ops.has_timescaledb()").fetchone()
        if has_timescaledb:
            found = connection.execute(
                "SELECT format('%s.%s', hypertable_schema, hypertable_name) FROM timescaledb_information.hypertables"
            )
        else:
            found = connection.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'p'")
        small = {"market.delisting", "market.dividend"}
        derived = {"derived.indicator", "derived.screen_result", "derived.signal"}
        assert {name for [name] in found} == {dataset.table for dataset in datasets().values()} - small | derived


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("analyst", "INSERT INTO market.session VALUES ('2024-01-02', '2024-01-03', now(), now())"),
        ("analyst", "SELECT * FROM ops.batch"),
        ("grafana", "SELECT * FROM market.daily_bar"),
        ("grafana", "DELETE FROM ops.alarm"),
        ("etl", "CREATE TABLE market.mine ()"),
        ("etl", "DROP TABLE market.daily_bar"),
    ],
)
def test_roles_can_do_no_more_than_their_work(warehouse: str, role: str, statement: str) -> None:
    with psycopg.connect(warehouse) as connection:
        connection.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.parametrize("role", ["analyst", "grafana"])
def test_readers_read_the_mart(warehouse: str, role: str) -> None:
    with psycopg.connect(warehouse) as connection:
        connection.execute(f"SET ROLE {role}")
        views = connection.execute(
            "SELECT format('%I.%I', schemaname, viewname) FROM pg_views WHERE schemaname = 'mart'"
        ).fetchall()
        assert views
        for [view] in views:
            connection.execute(f"SELECT * FROM {view} LIMIT 1")
