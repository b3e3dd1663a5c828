"""Which formulas results were computed with: results of other ones are to be computed again."""

from __future__ import annotations

import hashlib
import json

from include.indicators.catalogue import CATALOGUE

# Raised with every change to the results that the catalogue does not show: in a kernel, or in what is read for it.
FORMULAS_VERSION = 1


def formula_digest() -> str:
    """A digest of the kernels with their inputs and parameters, in the order of the columns, and of their version."""
    formulas = [
        {
            "columns": [(column.name, column.warm_up) for column in indicator.columns],
            "kernel": indicator.kernel.__name__,
            "inputs": indicator.inputs,
            "parameters": indicator.parameters,
        }
        for indicator in CATALOGUE
    ]
    told = json.dumps([FORMULAS_VERSION, formulas], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
