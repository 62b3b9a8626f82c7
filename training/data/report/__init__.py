"""The report of a run: one HTML file that needs nothing else."""

from training.data.report.page import ReportSettings, write_report

__all__ = ["ReportSettings", "write_report"]
