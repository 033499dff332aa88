#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Evaluates every expression of a Grafana dashboard in a Prometheus, as Grafana would: dashboard.py URL FILE. Its
template variables are filled in, all of their values and each alone. A line for each problem: an error, no
data, a machine without, a legend's label that no series has.
"""
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

SECONDS = 15
# No proxy: it asks this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, path, **parameters):
    try:
        with OPENER.open(f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters, True)}") as answer:
            return json.load(answer)["data"], None
    except urllib.error.HTTPError as error:
        return [], json.load(error)["error"]


def escaped(value):
    """In a matcher's string, as Grafana's Prometheus data source does it: the backslash itself is escaped."""
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))


def values_of(url, variable):
    """label_values(METRIC, LABEL)"""
    metric, label = re.fullmatch(r"label_values\((\w+), *(\w+)\)", variable["query"]["query"]).groups()
    return ask(url, f"label/{label}/values", **{"match[]": metric})[0]


def choices(url, dashboard):
    """What of each variable a viewer may choose: all values, or one. Those of data sources are ours."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "datasource":
            continue
        values = values_of(url, variable)
        if not values:
            print(f"${variable['name']} has no value")
        yield variable["name"], values, "(" + "|".join(map(escaped, values)) + ")"
        for value in values:
            yield variable["name"], [value], escaped(value)


def evaluate(url, panel, expression):
    now = time.time()
    if panel["type"] == "stat":
        data, error = ask(url, "query", query=expression, time=now)
    else:
        data, error = ask(url, "query_range", query=expression, start=now - SECONDS, end=now, step=1)
    return data["result"] if data else [], error


def look_at(url, panel, target, name, values, text):
    expression = re.sub(r"\$\{?%s\b\}?" % name, lambda _: text, target["expr"])
    series, error = evaluate(url, panel, expression)
    numbers = [p[1] for s in series for p in s.get("values", [s.get("value", [0, "NaN"])])]
    missing = {v for v in values if series and "instance" in series[0]["metric"]} - \
        {s["metric"].get("instance") for s in series}
    legend = set(re.findall(r"{{ *(\w+) *}}", target.get("legendFormat", "")))
    if "$" in expression:
        error = error or "a variable that the dashboard has not got"
    if error:
        yield error
    elif not series or all(n == "NaN" for n in numbers):
        yield f"no data for {', '.join(values)}"
    if missing:
        yield f"no data for {', '.join(sorted(missing))}"
    for label in legend - set().union(*(s["metric"] for s in series)) if series else []:
        yield f"the legend wants the label {label}"


def main(url, file):
    with open(file, encoding="utf-8") as text:
        dashboard = json.load(text)
    for choice in choices(url, dashboard):
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                for problem in look_at(url, panel, target, *choice):
                    print(f"{panel['title']}: {target['expr']}: {problem}")


main(*sys.argv[1:])
