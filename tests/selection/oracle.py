"""What a rule means, slowly and obviously: filter everything, sort everything.

It reads the rule file's own tables, and shares no code with the library.
"""

import math
from datetime import timedelta

MISSING_LAST = math.inf


def spelled(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


def value_in(values, field):
    return values.get(field)


def holds(term, candidate, target):
    """Return True, False, or None where the term has no say."""
    found = value_in(candidate, term["field"])
    nulls = term.get("nulls")
    word = next(key for key in term if key in OPERATORS)
    if word == "present":
        return (found is not None) == term["present"]
    wanted = term[word]
    of_target = isinstance(wanted, dict) or word == "within"
    if isinstance(wanted, dict):
        wanted = target.get(wanted["target"])
    middle = target.get(term["field"]) if word == "within" else None
    if nulls is None:
        nulls = "match" if word == "equal" and of_target else "never"
    if of_target and (middle if word == "within" else wanted) is None:
        if nulls == "skip":
            return None
        if nulls == "never":
            return False
        return (found is not None) if word == "not_equal" else (found is None)
    if found is None:
        if nulls == "skip" and not of_target:
            return True
        return nulls == "match" and word == "not_equal"
    return OPERATORS[word](found, wanted, middle, term.get("ends"))


def _number(value):
    return None if isinstance(value, bool | str) else float(value)


def _compare(test):
    def compare(found, wanted, _middle, _ends):
        number = _number(found)
        return number is not None and test(number, float(wanted))

    return compare


def _within(found, wanted, middle, ends):
    low, high = float(middle) - wanted, float(middle) + wanted
    return low < found < high if ends == "open" else low <= found <= high


OPERATORS = {
    "equal": lambda found, wanted, *_: spelled(found) == spelled(wanted),
    "not_equal": lambda found, wanted, *_: spelled(found) != spelled(wanted),
    "one_of": lambda found, wanted, *_: spelled(found) in [spelled(one) for one in wanted],
    "contains": lambda found, wanted, *_: spelled(wanted) in spelled(found),
    "starts_with": lambda found, wanted, *_: spelled(found).startswith(spelled(wanted)),
    "above": _compare(lambda number, limit: number > limit),
    "at_most": _compare(lambda number, limit: number <= limit),
    "within": _within,
    "present": None,
}


def terms_of(table):
    yield from ({"field": name, "equal": value} for name, value in table.get("where", {}).items())
    for name in table.get("equal", []):
        given = {"field": name} if isinstance(name, str) else dict(name)
        yield {**given, "equal": {"target": given["field"]}}
    yield from table.get("terms", [])


def condition_holds(condition, target):
    for one in condition:
        if "any" in one:
            if not any(condition_holds([part], target) for part in one["any"]):
                return False
        elif holds(one, target, target) is False:
            return False
    return True


def resolved(rule, target):
    """Return the rule with the branches that count for a target added, or None for no result."""
    terms, limit = list(terms_of(rule)), None
    merged = dict(rule)
    for conditional in rule.get("conditional", []):
        for branch in conditional["branch"]:
            if condition_holds(branch.get("when", []), target):
                if branch.get("no_result"):
                    return None
                terms += list(terms_of(branch))
                merged.update({k: branch[k] for k in ("direction", "count") if k in branch})
                limit = branch.get("count", limit)
                break
    return {**merged, "all_terms": terms, "limit": limit}


def answer(rule, target, candidates, *, max_results=None, created_before=None, include_bad=False):
    """Return the basenames that a rule chooses, best first."""
    rule = resolved(rule, target)
    if rule is None:
        return []
    passing = [
        one
        for one in candidates
        if in_time(rule, target, one)
        and (include_bad or one["verdict"] in rule.get("verdicts", ["good", "unknown"]))
        and (not rule.get("valid", True) or is_valid(one, target["dateobs"]))
        and is_old_enough(rule, one, target, created_before)
        and all(holds(term, one, target) is not False for term in rule["all_terms"])
    ]
    passing.sort(key=lambda one: sort_key(rule, one, target))
    count = rule.get("count", 2 if rule.get("direction") == "bracket" else 1)
    wanted = count if max_results is None else max_results
    if max_results is not None and rule["limit"] is not None:
        wanted = min(wanted, rule["limit"])
    if rule.get("direction") == "bracket":
        before = [one for one in passing if one["dateobs"] <= target["dateobs"]]
        after = [one for one in passing if one["dateobs"] > target["dateobs"]]
        half = (max(wanted, 1) + 1) // 2
        passing = [one for one in passing if one in before[:half] or one in after[:half]]
    return [one["basename"] for one in passing[:wanted]]


def in_time(rule, target, one):
    if one["dateobs"] is None:
        return False
    distance = one["dateobs"] - target["dateobs"]
    zero = timedelta(0)
    sides = {
        "before": distance < zero,
        "before_or_equal": distance <= zero,
        "after": distance > zero,
        "after_or_equal": distance >= zero,
    }
    if not sides.get(rule.get("direction"), True):
        return False
    if "window" not in rule:
        return True
    length = timedelta(hours=float(rule["window"]["within"].split()[0]))
    inside = abs(distance) <= length
    return abs(distance) < length if rule["window"]["ends"] == "open" else inside


def is_valid(one, moment):
    after, until = one["good_after"], one["good_until"]
    return (after is None or after <= moment) and (until is None or moment < until)


def is_old_enough(rule, one, target, created_before):
    limit = created_before or target.get(rule.get("created_before"))
    return limit is None or (one["created"] is not None and one["created"] < limit)


def sort_key(rule, one, target):
    preferred = [holds(as_term(term), one, target) is False for term in rule.get("prefer", [])]
    parts = [part_key(part, one, target) for part in rule.get("order", ["closest_in_time"])]
    distance = abs(one["dateobs"] - target["dateobs"])
    newest = MISSING_LAST if one["created"] is None else -one["created"].timestamp()
    return (preferred, parts, distance, one["dateobs"], newest, one["basename"])


def as_term(given):
    return {"field": given, "equal": {"target": given}} if isinstance(given, str) else given


def part_key(part, one, target):
    if part == "closest_in_time":
        return abs(one["dateobs"] - target["dateobs"]).total_seconds()
    if "closest_in_time" in part:
        step = float(part["closest_in_time"].split()[0]) * 3600
        cut = [
            math.floor(moment.timestamp() / step) for moment in (one["dateobs"], target["dateobs"])
        ]
        return abs(cut[0] - cut[1])
    if "weighted" in part:
        return sum(
            distance_in(one, target, weight["field"]) / scale_of(weight)
            for weight in part["weighted"]
        )
    if "closest" in part:
        return distance_in(one, target, part["closest"])
    [(word, field)] = part.items()
    number = None if one.get(field) is None else float(one[field])
    if number is None:
        return MISSING_LAST
    return -number if word == "highest" else number


def scale_of(weight):
    hours = weight["field"] == "dateobs"
    return float(weight["scale"].split()[0]) * 3600 if hours else weight["scale"]


def distance_in(one, target, field):
    if field == "dateobs":
        return abs(one["dateobs"] - target["dateobs"]).total_seconds()
    if target.get(field) is None:
        return 0.0
    return MISSING_LAST if one.get(field) is None else abs(float(one[field]) - float(target[field]))
