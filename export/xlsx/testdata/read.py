"""Print the cells of tables as one JSON object: by file, rows of [type, value].

Types are openpyxl's: s for text, f for a formula, n for a number or an empty
cell, d for a date; csv has text alone.
"""

import csv
import datetime
import json
import sys

import openpyxl


def read(name):
    if name.endswith((".csv", ".tsv")):
        dialect = "excel-tab" if name.endswith(".tsv") else "excel"
        with open(name, newline="", encoding="utf-8") as file:
            return [[["s", cell] for cell in row] for row in csv.reader(file, dialect)]
    sheet = openpyxl.load_workbook(name).worksheets[0]
    return [[[cell.data_type, shown(cell.value)] for cell in row] for row in sheet.iter_rows()]


def shown(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds")
    return "" if value is None else str(value)


csv.field_size_limit(2**31 - 1)
json.dump({name: read(name) for name in sys.argv[1:]}, sys.stdout)
