"""Which of the candidates that satisfy a rule comes first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from calrecords.frames import CalibrationFrame
from calrecords.selection.expressions import Expression
from calrecords.selection.fields import number_of, value_of
from calrecords.selection.targets import Target

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATE = datetime(9999, 12, 31, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class OrderKind(StrEnum):
    """What one part of an order compares."""

    TIME = "closest_in_time"
    CLOSEST = "closest"
    WEIGHTED = "weighted"
    HIGHEST = "highest"
    LOWEST = "lowest"


@dataclass(frozen=True, slots=True)
class Weight:
    """One addend of a weighted distance: the distance in a field over its scale.

    Attributes
    ----------
    field : str
        Where candidate and target are compared; ``dateobs`` in time.
    scale : float or Expression
        What counts as one, in the field's unit; of times in seconds.
    """

    field: str
    scale: float | Expression


@dataclass(frozen=True, slots=True)
class OrderPart:
    """One part of an order; the next part decides where this one finds no difference.

    Attributes
    ----------
    kind : OrderKind
        What is compared.
    field : str
        Where, unless it is the time.
    resolution : timedelta
        Times are cut to whole multiples of it before they are compared; zero to compare
        them as they are.
    weights : tuple of Weight
        What a weighted distance adds up.
    """

    kind: OrderKind
    field: str = ""
    resolution: timedelta = timedelta(0)
    weights: tuple[Weight, ...] = ()

    def bind(self, target: Target) -> BoundPart:
        """Return it for one target."""
        scales = tuple(
            number_of(weight.scale.evaluate(target.values))
            if isinstance(weight.scale, Expression)
            else weight.scale
            for weight in self.weights
        )
        return BoundPart(self, target, scales)


CLOSEST_IN_TIME = OrderPart(OrderKind.TIME)


@dataclass(frozen=True, slots=True)
class BoundPart:
    """One part of an order, for one target.

    Attributes
    ----------
    part : OrderPart
        The part.
    target : Target
        The target.
    scales : tuple
        Scale of each weight; None where the target does not give it, and its weight is none.
    """

    part: OrderPart
    target: Target
    scales: tuple[float | None, ...] = ()

    def key(self, frame: CalibrationFrame) -> float:
        """Return what is compared: lowest first."""
        match self.part.kind:
            case OrderKind.TIME:
                return _distance_in_time(frame, self.target, self.part.resolution)
            case OrderKind.CLOSEST:
                return _distance(frame, self.target, self.part.field)
            case OrderKind.WEIGHTED:
                return sum(
                    _distance(frame, self.target, weight.field) / scale
                    for weight, scale in zip(self.part.weights, self.scales, strict=True)
                    if scale
                )
        number = number_of(value_of(frame, self.part.field))
        if number is None:
            return math.inf
        return -number if self.part.kind is OrderKind.HIGHEST else number

    def lowest_from(self, distance: timedelta) -> float:
        """Return the lowest key that a candidate at least so far away in time can have."""
        if self.part.kind is OrderKind.TIME:
            return (distance - self.part.resolution) / _MICROSECOND
        if self.part.kind is OrderKind.WEIGHTED:
            seconds = distance.total_seconds()
            return sum(
                seconds / scale
                for weight, scale in zip(self.part.weights, self.scales, strict=True)
                if scale and weight.field == "dateobs"
            )
        return -math.inf


def _distance_in_time(frame: CalibrationFrame, target: Target, resolution: timedelta) -> float:
    if frame.dateobs is None:
        return math.inf
    if not resolution:
        return abs(frame.dateobs - target.dateobs) // _MICROSECOND
    cut = [(moment - _EPOCH) // resolution for moment in (frame.dateobs, target.dateobs)]
    return abs(cut[0] - cut[1]) * (resolution // _MICROSECOND)


def _distance(frame: CalibrationFrame, target: Target, field: str) -> float:
    """Return the distance in a field; 0 where the target, infinite where the candidate has none."""
    if field == "dateobs":
        return (
            math.inf
            if frame.dateobs is None
            else abs(frame.dateobs - target.dateobs).total_seconds()
        )
    wanted = number_of(target.values.get(field))
    if wanted is None:
        return 0.0
    found = number_of(value_of(frame, field))
    return math.inf if found is None else abs(found - wanted)


def tie_break(frame: CalibrationFrame, target: Target) -> tuple[Any, ...]:
    """Return what decides in the end, the same on every database.

    Closest in time, then earlier dateobs, then newest creation, then basename.
    """
    return (
        _distance_in_time(frame, target, timedelta(0)),
        frame.dateobs or _LATE,
        math.inf if frame.created is None else -((frame.created - _EPOCH) // _MICROSECOND),
        frame.basename,
    )


def describe_order(parts: Sequence[OrderPart], labels: Mapping[str, str]) -> str:
    """Return an order in words."""
    return ", then ".join(_describe(part, labels) for part in parts)


def _describe(part: OrderPart, labels: Mapping[str, str]) -> str:
    if part.kind is OrderKind.TIME:
        cut = f" in steps of {part.resolution.total_seconds():g} s" if part.resolution else ""
        return f"closest in time{cut}"
    if part.kind is OrderKind.WEIGHTED:
        return "lowest sum of " + " and ".join(
            f"distance in {labels.get(weight.field, weight.field)} / "
            f"{weight.scale.text if isinstance(weight.scale, Expression) else weight.scale}"
            for weight in part.weights
        )
    return f"{part.kind.value} {labels.get(part.field, part.field)}"
