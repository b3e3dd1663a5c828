from __future__ import annotations

import psycopg

from include.warehouse.dictionary import PAGE, data_dictionary


def test_the_committed_page_is_what_the_schema_and_the_registry_say(warehouse: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == data_dictionary(warehouse), (
        f"{PAGE} is not current: krxw up --no-airflow; python -m include.warehouse.dictionary"
    )


def test_every_table_and_view_has_a_section(warehouse: str) -> None:
    with psycopg.connect(warehouse) as connection:
        names = connection.execute(
            "SELECT format('%s.%s', table_schema, table_name) FROM information_schema.tables "
            "WHERE table_schema IN ('market', 'mart', 'ops', 'derived') AND table_name !~ '_[0-9]{4}$'"
        ).fetchall()
    page = data_dictionary(warehouse)
    assert names
    assert [name for [name] in names if f" `{name}`\n" not in page] == []


def test_every_function_for_readers_is_listed_with_its_meaning(warehouse: str) -> None:
    with psycopg.connect(warehouse) as connection:
        functions = connection.execute(
            "SELECT proname, obj_description(oid, 'pg_proc') FROM pg_proc WHERE pronamespace = 'mart'::regnamespace"
        ).fetchall()
    page = data_dictionary(warehouse)
    assert functions
    for name, meaning in functions:
        assert f"| `mart.{name}(" in page
        assert meaning
        assert f"| {meaning} |" in page
