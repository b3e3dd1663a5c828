"""Airflow makes its folder and reads its configuration when it is first imported: not in anyone's home."""

from __future__ import annotations

import os
import tempfile

from include.settings import PROJECT_ROOT

_AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="krxw-airflow-")
os.environ.setdefault("AIRFLOW_HOME", _AIRFLOW_HOME.name)
os.environ.setdefault("AIRFLOW_CONFIG", str(PROJECT_ROOT / "airflow.cfg"))
os.environ.setdefault("AIRFLOW__CORE__PLUGINS_FOLDER", str(PROJECT_ROOT / "plugins"))
