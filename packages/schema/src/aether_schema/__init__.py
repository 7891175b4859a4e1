"""The file contract of Aether Bench: the summary, its validation, its quantiles, its files."""

from __future__ import annotations

from aether_schema.__about__ import __version__
from aether_schema.codec import decode_summary, encode_summary
from aether_schema.errors import InvalidSummaryError, SchemaError, SummaryFileError, printable
from aether_schema.file import SIZE_LIMIT_BYTES, read_summary, write_atomically, write_summary
from aether_schema.quantile import quantile
from aether_schema.series import Series, figures_of, run_figures, series_of
from aether_schema.summary import (
    BETTER_OF_METRIC,
    PROBABILITY,
    SCHEMA_VERSION,
    UNIT_OF_METRIC,
    Better,
    FigureSeries,
    Interval,
    Levels,
    Metric,
    Phase,
    Reference,
    Rounds,
    RoundUsage,
    RunLevels,
    Scalar,
    Statistic,
    Summary,
    statistic,
)

__all__ = [
    "BETTER_OF_METRIC",
    "PROBABILITY",
    "SCHEMA_VERSION",
    "SIZE_LIMIT_BYTES",
    "UNIT_OF_METRIC",
    "Better",
    "FigureSeries",
    "Interval",
    "InvalidSummaryError",
    "Levels",
    "Metric",
    "Phase",
    "Reference",
    "RoundUsage",
    "Rounds",
    "RunLevels",
    "Scalar",
    "SchemaError",
    "Series",
    "Statistic",
    "Summary",
    "SummaryFileError",
    "__version__",
    "decode_summary",
    "encode_summary",
    "figures_of",
    "printable",
    "quantile",
    "read_summary",
    "run_figures",
    "series_of",
    "statistic",
    "write_atomically",
    "write_summary",
]
