# SPDX-License-Identifier: GPL-2.0-or-later
"""report.py [--quick] --pairs N --processors N DIR PART... - DIR/PART.json as a table, and together in bench.json

A row: name, what, values, reach (null: nothing is to be reached), more_is_better. Its worst is the largest value,
the smallest where more is better; its median is held against reach.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

WIDTH = 64
FORMAT = 2
UNTIMED = ("R3", "R4", "mem")  # the same however busy the machine is
OTHERS = 0.2  # processors that may be busy before a part begins


def judge(row):
    more = row.setdefault("more_is_better", False)
    row["median"] = round(statistics.median(row["values"]), 4)
    row["worst"] = (min if more else max)(row["values"])
    row["met"] = None
    if row["reach"] is not None:
        row["met"] = row["median"] >= row["reach"] if more else row["median"] <= row["reach"]
    return row


def number(value):
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def line(name, what, median, worst, remark=""):
    print(f"{name:<4} {what:<{WIDTH}} {median:>9} {worst:>9}  {remark}".rstrip())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--processors", type=int)
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("part", nargs="+")
    options = parser.parse_args()
    parts, rows = {}, []
    line("", f"{options.pairs} pairs", "median", "worst")
    for part in options.part:
        path = options.dir / f"{part}.json"
        if not path.exists():
            line("", part, "-", "-", "not measured")
            continue
        found = json.loads(path.read_text())
        others = statistics.median(found.get("others") or [0])
        if others > OTHERS:
            print(f"     {part}: somebody else kept {others:.1f} processors busy: times are not judged")
        for row in map(judge, found.pop("rows")):
            remark = ""
            if row["met"] is not None:
                sign = ">=" if row["more_is_better"] else "<="
                verdict = " reached" if row["met"] else " MISSED"
                if options.quick or (others > OTHERS and row["name"] not in UNTIMED):
                    verdict, row["met"] = "", None
                remark = f"{sign} {row['reach']:g}{verdict}"
            line(row["name"], row["what"], number(row["median"]), number(row["worst"]), remark)
            rows.append({"part": part, **row})
        parts[part] = found
    if options.quick:
        print("--quick: too few and too small, this shows that the benchmark works and nothing else")
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    head = {"format": FORMAT, "time": when, "kernel": os.uname().release}
    head |= {"processors": options.processors, "pairs": options.pairs, "quick": options.quick}
    text = json.dumps({**head, "rows": rows, "parts": parts}, indent=1)
    (options.dir / "bench.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
