"""The word that somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

_ALIKE = 0.65
"""How alike two words are, from 0 to 1, before one is taken for a misspelling of the other."""

_MEANT: Mapping[str, tuple[str, ...]] = {
    "obstype": ("observation_type", "imagetyp", "configuration_type"),
    "site": ("siteid", "site_id"),
    "camera": ("instrume", "detector", "instrument_id"),
    "telescope": ("telid", "telescope_id"),
    "filter": ("filters", "band", "primary_optical_element"),
    "binning": ("ccdsum", "bin", "xbin", "ybin"),
    "configuration_mode": ("confmode", "readout_mode", "read_mode", "mode"),
    "exposure_time": ("exptime", "exposure"),
    "ccd_temperature": ("ccdstemp", "ccd_temp", "temperature"),
    "ccd_measured_temperature": ("ccdatemp",),
    "dateobs": ("date-obs", "date_obs", "observation_date", "mjd", "mjd-obs"),
    "dayobs": ("day-obs", "day_obs", "observation_day", "night"),
    "reduction_level": ("rlevel",),
    "is_master": ("ismaster", "master"),
    "proposal": ("propid", "proposal_id", "program_id"),
    "equal": ("==", "=", "eq", "is", "must_equal"),
    "not_equal": ("!=", "ne", "not", "is_not"),
    "one_of": ("in", "any_of"),
    "not_one_of": ("not_in", "none_of"),
    "above": (">", "gt", "greater", "greater_than", "more_than"),
    "at_least": (">=", "ge", "gte", "minimum", "min"),
    "below": ("<", "lt", "less", "less_than"),
    "at_most": ("<=", "le", "lte", "maximum", "max"),
    "within": ("tolerance", "tol", "plus_minus", "around_by", "max_age"),
    "within_percent": ("relative", "rtol", "percent"),
    "starts_with": ("startswith", "prefix"),
    "ends_with": ("endswith", "suffix"),
    "contains": ("like", "match", "matches"),
    "present": ("exists", "is_null", "not_null", "isnull", "null"),
    "case": ("ignore_case", "ignorecase", "case_sensitive"),
    "any": ("or",),
    "all": ("and",),
    "window": ("max_age", "max_age_days", "time_window", "within", "age"),
    "count": ("howmany", "how_many", "limit", "number", "max_results"),
    "order": ("sort", "order_by", "sort_by"),
    "created_before": ("use_only_older", "older_than", "older"),
    "effective": ("from", "until", "valid_from", "valid_until", "period"),
    "valid": ("good", "must_be_valid"),
    "caltype": ("type",),
    "min": ("minimum", "at_least", "minute", "minutes", "mins"),
    "max": ("maximum", "at_most"),
    "from": ("since", "start", "after", "begin"),
    "until": ("to", "end", "before"),
    "before": ("backward", "backwards", "past", "earlier", "previous"),
    "after": ("forward", "forwards", "future", "later", "next"),
    "either": ("both", "any", "nearest", "closest"),
    "bracket": ("around", "both_sides"),
    "closest_in_time": ("nearest", "time", "closest_time", "dateobs"),
    "highest": ("newest", "latest", "descending", "desc", "maximum"),
    "lowest": ("oldest", "earliest", "ascending", "asc", "minimum"),
    "scale": ("weight",),
    "open": ("exclusive", "excluded"),
    "closed": ("inclusive", "included"),
    "when": ("if", "condition"),
    "expr": ("expression", "formula"),
    "text": ("string", "str", "char", "varchar"),
    "number": ("float", "int", "integer", "double", "real"),
    "flag": ("bool", "boolean", "logical"),
    "time": ("datetime", "date", "timestamp"),
    "list": ("array", "tuple"),
    "s": ("sec", "secs", "second", "seconds"),
    "h": ("hour", "hours", "hr", "hrs"),
    "d": ("day", "days", "week", "weeks", "month", "months", "year", "years"),
    "Angstrom": ("a", "aa", "angstroms", "ang"),
    "um": ("micron", "microns", "micrometer", "micrometre"),
    "nm": ("nanometer", "nanometre", "nanometers"),
    "deg": ("degree", "degrees"),
    "deg C": ("c", "celsius", "degc", "deg_c"),
    "K": ("kelvin",),
    "pixel": ("px", "pix", "pixels"),
    "electron": ("e", "e-", "electrons"),
}
"""Our words, and what others say for them."""


def near_names(name: str, known: Iterable[str]) -> str:
    """Return a question about the known name that was probably meant, or nothing.

    What others say for one of the known names is preferred to a name that is merely spelled
    alike.

    Examples
    --------
    >>> near_names("binnning", ["site", "binning"])
    "; did you mean 'binning'?"
    >>> near_names("greater_than", ["above", "below"])
    "; did you mean 'above'?"
    >>> near_names("nothing of the sort", ["above", "below"])
    ''
    """
    by_fold = {one.casefold(): one for one in known}
    word = name.casefold()
    found = by_fold.get(word)
    if found is None:
        said = (ours for ours, theirs in _MEANT.items() if word in theirs)
        found = next((ours for ours in said if ours.casefold() in by_fold), None)
    if found is None:
        near = difflib.get_close_matches(word, by_fold, n=1, cutoff=_ALIKE)
        found = by_fold[near[0]] if near else None
    return "" if found is None else f"; did you mean {found!r}?"
