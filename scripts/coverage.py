#!/usr/bin/env python3
"""Prints the rows of the coverage checklist that no test names.

The checklist is COVERAGE_TSV (default ../shared/api/coverage.tsv): tab-separated, the first
column an id such as G001. A test covers a row when its file names the id: in a comment, a
docstring or a name, or as a range, G001-G004.
"""
import os
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AREAS = os.environ.get("COVERAGE_AREAS", "")  # letters of ids to look at; all when empty


def named_in_tests():
    files = [p for p in (ROOT / "tests").rglob("*") if p.is_file()]
    files += (ROOT / "src").rglob("*_test.c")
    named = Counter()
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        for area, first, last in re.findall(
                r"\b([A-Z])(\d{3})(?:\s*(?:-|\.\.)\s*[A-Z]?(\d{3}))?\b", text):
            for n in range(int(first), int(last or first) + 1):
                named[f"{area}{n:03}"] += 1
    return named


def main():
    checklist = Path(os.environ.get("COVERAGE_TSV", ROOT / ".." / "shared" / "api" / "coverage.tsv"))
    if not checklist.exists():
        print(f"coverage: no checklist at {checklist}: set COVERAGE_TSV")
        return 0
    rows = [line.split("\t") for line in checklist.read_text(encoding="utf-8").splitlines()]
    rows = [r for r in rows if re.fullmatch(r"[A-Z]\d{3}", r[0]) and (not AREAS or r[0][0] in AREAS)]
    named = named_in_tests()
    missing = [r for r in rows if r[0] not in named]
    for row in missing:
        print("  ".join(row))
    unknown = sorted(set(named) - {r[0] for r in rows}) if not AREAS else []
    if unknown:
        print(f"named by tests but not in the checklist: {' '.join(unknown)}")
    print(f"coverage: {len(rows) - len(missing)} of {len(rows)} rows are named by a test")
    return 0


if __name__ == "__main__":
    sys.exit(main())
