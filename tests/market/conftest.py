from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pytest


@pytest.fixture(scope="session")
def marcap_rows(samples: Path) -> dict[int, pa.Table]:
    """Both recorded whole-market windows by year."""
    convert = csv.ConvertOptions(column_types={"Code": pa.string(), "Date": pa.date32()}, strings_can_be_null=False)
    return {
        year: csv.read_csv(samples / "marcap" / f"marcap-{year}.csv.gz", convert_options=convert)
        for year in (2022, 2024)
    }
