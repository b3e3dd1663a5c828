-- A fact table is a hypertable where TimescaleDB is installed, and a range-partitioned table on plain PostgreSQL.

CREATE FUNCTION ops.has_timescaledb() RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb');
COMMENT ON FUNCTION ops.has_timescaledb() IS 'Whether fact tables are hypertables here';

CREATE PROCEDURE ops.create_fact_table(table_name text, time_column text, chunk interval, columns text)
LANGUAGE plpgsql AS $$
BEGIN
    IF ops.has_timescaledb() THEN
        EXECUTE format('CREATE TABLE %s (%s)', table_name, columns);
        EXECUTE format(
            'SELECT create_hypertable(%L, by_range(%L, %L::interval), create_default_indexes => false)',
            table_name, time_column, chunk);
        -- The columnstore is refused (0A000) under the Apache licence.
        IF current_setting('timescaledb.license', true) = 'timescale' THEN
            EXECUTE format(
                'ALTER TABLE %s SET (timescaledb.enable_columnstore, timescaledb.segmentby = ''symbol'', '
                'timescaledb.orderby = %L)', table_name, time_column);
            EXECUTE format('CALL add_columnstore_policy(%L, after => interval ''2 years'')', table_name);
        END IF;
    ELSE
        EXECUTE format('CREATE TABLE %s (%s) PARTITION BY RANGE (%I)', table_name, columns, time_column);
    END IF;
END
$$;
COMMENT ON PROCEDURE ops.create_fact_table IS 'Creates a hypertable, or a range-partitioned table without TimescaleDB';

-- Partitions belong to the tables' owner; the role that loads may add them and nothing else.
CREATE FUNCTION ops.ensure_year_partitions(fact_table regclass, first_session date, last_session date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    schema_name text;
    parent text;
    year int;
BEGIN
    SELECT n.nspname, c.relname INTO schema_name, parent
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = fact_table AND c.relkind = 'p' AND n.nspname IN ('market', 'derived');
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOR year IN extract(year FROM first_session)::int .. extract(year FROM last_session)::int LOOP
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %I.%I PARTITION OF %I.%I FOR VALUES FROM (%L) TO (%L)',
            schema_name, parent || '_' || year, schema_name, parent,
            make_date(year, 1, 1), make_date(year + 1, 1, 1));
    END LOOP;
END
$$;
COMMENT ON FUNCTION ops.ensure_year_partitions IS 'Adds the yearly partitions a range of sessions needs; does nothing for a hypertable';
REVOKE ALL ON FUNCTION ops.ensure_year_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.ensure_year_partitions TO etl;
