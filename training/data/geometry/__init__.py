"""Points of an asset's skin and labelled queries of its field, as a step of the data pipeline."""

from .settings import GeometrySettings
from .step import GEOMETRY, Geometry, read_geometry

__all__ = ["GEOMETRY", "Geometry", "GeometrySettings", "read_geometry"]
