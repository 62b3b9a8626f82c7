"""Recipes: functions that return frozen dataclasses. A variant calls one and replaces fields."""
