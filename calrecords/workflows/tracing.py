"""What was reduced with what: uses, inputs, and all that a frame has an effect on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calrecords.datafiles import DataFile
from calrecords.errors import ConfigurationError, DataFileError, InvalidTargetError
from calrecords.frames import CalibrationFrame
from calrecords.records import Asked, RecordedInput, RecordedUse, Uses
from calrecords.selection import Selection, Target
from calrecords.workflows.caltypes import spelled_caltype
from calrecords.workflows.choosing import Choosing
from calrecords.workflows.known_frames import basename_of, moment
from calrecords.workflows.parts import expanded
from calrecords.workflows.tables import Column, make_table, plain_value
from calrecords.workflows.targets import is_path

if TYPE_CHECKING:
    from astropy.table import Table

    from calrecords.workflows.facade import FrameLike

_log = logging.getLogger(__name__)
_USES: tuple[Column, ...] = (
    ("target", str, None),
    ("kind", str, None),
    ("through", str, None),
    ("filename", str, None),
    ("md5", str, None),
    ("rule", str, None),
    ("rule_version", str, None),
    ("as_of", str, None),
    ("override", str, None),
    ("recorded_at", str, None),
)
_AFFECTED: tuple[Column, ...] = (
    ("depth", int, None),
    ("basename", str, None),
    ("obstype", str, None),
    ("through", str, None),
    ("path", str, None),
)


class Tracing(Choosing):
    """The verbs that record and follow which frame was made with which."""

    def record_use(
        self,
        target: Any,
        frame: FrameLike,
        caltype: str | None = None,
        *,
        created_before: Any = None,
        include_bad: bool | None = None,
    ) -> bool:
        """Record that a target was reduced with a calibration; once is enough.

        Parameters
        ----------
        target : str, Path, mapping, DataFile, or anything with a basename
            The target. Of a mapping as `best` takes it, a frame, or a file that is there, the
            facts are kept, so that the choice can be made again, as `impact` does; a
            `Selection` has them already. Where a file cannot be read the log says so.
        frame : Selection, CalibrationFrame, IngestResult, int or str
            What it was reduced with. A selection also says by which rule, and as of when.
        caltype : str, optional
            What it was to the target, as the rules in use spell it; by default as the
            selection, else the frame, says. Rules need not know it.
        created_before : Time, datetime or str, optional
            What was asked when it was chosen, UTC; by default as the selection says.
        include_bad : bool, optional
            What was asked when it was chosen; by default as the selection says.

        Returns
        -------
        bool
            Whether that is news.

        Raises
        ------
        ConfigurationError
            If the target has no name.
        RecordNotFoundError
            If the frame is not recorded.
        InvalidRecordError
            If the database cannot hold a value.
        """
        recorded = self._frame(frame)
        chosen = frame if isinstance(frame, Selection) else None
        if chosen is None:
            asked = Asked(target=self._facts_of(target))
        else:
            asked = _asked(chosen, self.rules.name)
        if created_before is not None:
            asked = replace(asked, created_before=moment("created_before", created_before))
        if include_bad is not None:
            asked = replace(asked, include_bad=include_bad)
        what = caltype or (recorded.obstype if chosen is None else chosen.caltype)
        spelled = spelled_caltype(self.rules, what)
        return Uses(self._database).record(basename_of(target), recorded, spelled, asked)

    def _facts_of(self, target: Any) -> dict[str, Any] | None:
        """Return what is known of a target that somebody names, if it is more than a name."""
        if isinstance(target, str | Path):
            return self._facts_of_file(target)
        has_time = isinstance(target, Target | DataFile)
        if isinstance(target, CalibrationFrame):
            has_time = target.dateobs is not None
        elif isinstance(target, Mapping):
            has_time = self.rules.in_our_words(target).get("dateobs") is not None
        return _plain(self._target(target).values) if has_time else None

    def _facts_of_file(self, path: str | Path) -> dict[str, Any] | None:
        try:
            if is_path(path) and expanded(path).is_file():
                return _plain(self._target(path).values)
        except (DataFileError, InvalidTargetError, OSError) as error:
            _log.warning("its use is recorded without the facts of %s: %s", path, error)
        return None

    def uses(self, frame: FrameLike | None = None, *, target: Any = None) -> Table:
        """Return what was made directly with a version; or what a target was made with.

        Parameters
        ----------
        frame : CalibrationFrame, Selection, IngestResult, int or str, optional
            The version that was used. What names its frame as an input is listed too.
        target : str, Path, or anything with a basename, optional
            The target that was reduced, in place of `frame`.

        Returns
        -------
        astropy.table.Table
            One row for each use, oldest first: ``target`` is what was made, ``filename`` what it
            was made with; ``kind`` is ``use`` where it was recorded by `record_use`, and
            ``input`` where a header says so, in the keyword ``through``.

        Raises
        ------
        ConfigurationError
            If neither or both are given.
        RecordNotFoundError
            If the frame is not recorded.
        """
        if (frame is None) == (target is None):
            msg = "say of what: a frame that was used, or target= for what a target was made with"
            raise ConfigurationError(msg)
        uses = Uses(self._database)
        if frame is None:
            return _use_table(uses.of_target(basename_of(target)), [])
        recorded = self._frame(frame)
        return _use_table(uses.of_version(recorded), uses.made_from(recorded.basename))

    def affected_by(self, frame: FrameLike) -> Table:
        """Return all that was made with a version, through masters, down to the targets.

        Headers name inputs without their version, so that what names this frame counts
        whichever version is asked for.

        Returns
        -------
        astropy.table.Table
            One row for each frame, nearest first, each once: ``depth`` is how many steps away it
            is, ``path`` a shortest way to it. ``obstype`` is masked where it is not recorded.

        Raises
        ------
        RecordNotFoundError
            If the frame is not recorded.
        """
        found = Uses(self._database).affected_by(self._frame(frame))
        rows = [
            {
                "depth": one.depth,
                "basename": one.basename,
                "obstype": one.obstype,
                "through": one.through,
                "path": " > ".join(one.path),
            }
            for one in found
        ]
        return make_table(_AFFECTED, rows)


def _use_table(uses: list[RecordedUse], inputs: list[RecordedInput]) -> Table:
    rows = sorted([*_use_rows(uses), *_input_rows(inputs)], key=lambda row: row["recorded_at"])
    plain = [{name: plain_value(row[name], kind) for name, kind, _ in _USES} for row in rows]
    return make_table(_USES, plain)


def _use_rows(uses: list[RecordedUse]) -> Iterator[dict[str, Any]]:
    for use in uses:
        yield {
            "target": use.target,
            "kind": "use",
            "through": use.caltype,
            "filename": use.filename,
            "md5": use.md5,
            "rule": use.asked.rule,
            "rule_version": use.asked.rule_version,
            "as_of": use.asked.as_of,
            "override": use.asked.override,
            "recorded_at": use.recorded_at,
        }


def _input_rows(inputs: list[RecordedInput]) -> Iterator[dict[str, Any]]:
    for one in inputs:
        yield {
            **dict.fromkeys(name for name, _, _ in _USES),
            "target": one.filename,
            "kind": "input",
            "through": one.keyword,
            "filename": one.basename,
            "recorded_at": one.recorded_at,
        }


def _asked(chosen: Selection, rule_set: str) -> Asked:
    return Asked(
        rule=chosen.rule.name,
        rule_version=_text(chosen.rule.version),
        rule_set=rule_set,
        as_of=chosen.as_of,
        created_before=chosen.created_before,
        include_bad=chosen.include_bad,
        override=chosen.override,
        target=_plain(chosen.target.values),
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target's values as JSON holds them; `make_target` reads them again."""
    return {name: _plain_fact(value) for name, value in values.items() if value is not None}


def _plain_fact(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | list | dict) else str(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
