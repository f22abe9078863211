#!/usr/bin/env python3
"""Validates traces against the JSON Schema that `iohops schema` prints.

    validate.py [--strict] [--truncated] SCHEMA TRACE...

SCHEMA may be - (stdin). TRACE is .json or .jsonl, with .zst behind it when compressed.
--strict     a member that the schema does not name is an error: for what this version wrote itself
             (readers must ignore such members, so the schema allows them)
--truncated  accept a trace without a summary and with its last line cut off

Beside the schema it checks what a schema cannot say: the header comes first, the summary last, files
are named before they are used, request ids are unique, and a transfer's bytes all have an owner or
are unattributed. Exit 0: all valid; 1: not; 2: usage.
"""
import argparse
import json
import subprocess
import sys

import jsonschema

# Transfers with these ops carry data; others name sectors or nothing.
DATA_OPS = ("read", "write", "zone_append")


def close_objects(node):
    """Refuses unknown members in every object schema that lists its members."""
    if isinstance(node, dict):
        if "properties" in node and node.get("type") in ("object", ["object", "null"]):
            node.setdefault("additionalProperties", False)
        for child in node.values():
            close_objects(child)
    elif isinstance(node, list):
        for child in node:
            close_objects(child)


class Checker:
    def __init__(self, schema):
        jsonschema.Draft202012Validator.check_schema(schema)
        self.schema = schema
        self.validators = {}

    def validator(self, record_type):
        """Of one record type: `oneOf` over all of them is slow, and says little when it fails."""
        if record_type not in self.validators:
            if record_type not in self.schema["$defs"]:
                return None
            schema = {"$ref": f"#/$defs/{record_type}", "$defs": self.schema["$defs"]}
            self.validators[record_type] = jsonschema.Draft202012Validator(schema)
        return self.validators[record_type]

    def record(self, record):
        record_type = record.get("type") if isinstance(record, dict) else None
        validator = self.validator(record_type) if isinstance(record_type, str) else None
        if validator is None:
            yield f"unknown record type {record_type!r}"
            return
        for error in validator.iter_errors(record):
            where = "/".join(str(step) for step in error.absolute_path)
            yield f"{record_type} {where}: {error.message[:300]}"


class Order:
    """What holds between the records of one trace."""

    def __init__(self):
        self.files = set()
        self.requests = set()
        self.last = None

    def record(self, record):
        kind = record["type"]
        if (self.last is None) != (kind == "header"):
            yield "the header is not the first record, or not the only one"
        if self.last == "summary":
            yield "a record follows the summary"
        self.last = kind
        if kind == "file":
            self.files.add(record["file"])
        elif kind == "request":
            if record["id"] in self.requests:
                yield f"request {record['id']} ends twice"
            self.requests.add(record["id"])
        elif kind == "transfer" and record["op"] in DATA_OPS:
            owned = sum(share["bytes"] for share in record["owners"])
            if owned + record["unattributed_bytes"] != record["bytes"]:
                yield f"transfer {record['id']}: bytes are not conserved"
        file = record.get("file")
        if kind != "file" and file is not None and file not in self.files:
            yield f"file {file} is used before it is named"


def open_trace(path):
    if not path.endswith(".zst"):
        with open(path, encoding="utf-8") as trace:
            return trace.read()
    # A stream that was cut off makes zstd fail behind what it could decompress.
    unpacked = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=False)
    return unpacked.stdout.decode("utf-8")


def records_of_lines(text, truncated):
    lines = text.split("\n")
    cut = lines.pop()
    for number, line in enumerate(lines, 1):
        yield f"line {number}", json.loads(line)
    if cut and not truncated:
        raise ValueError("the last line does not end")


def records_of_document(text, truncated):
    try:
        document = json.loads(text)
    except ValueError:
        if not truncated:
            raise
        whole = text[: text.rindex("\n")].rstrip().rstrip(",")
        document = json.loads(whole + "]}")
    yield "header", document["header"]
    for number, record in enumerate(document["records"]):
        yield f"records[{number}]", record
    if document.get("summary") is not None:
        yield "summary", document["summary"]


def check(path, checker, truncated):
    """Prints what is wrong with one trace; returns how many things are."""
    name = path.removesuffix(".zst")
    read = records_of_document if name.endswith(".json") else records_of_lines
    wrong = 0
    order = Order()
    try:
        for where, record in read(open_trace(path), truncated):
            problems = list(checker.record(record)) or list(order.record(record))
            for problem in problems:
                print(f"{path}: {where}: {problem}")
                wrong += 1
            if wrong > 20:
                print(f"{path}: and so on")
                return wrong
    except (ValueError, KeyError, OSError) as error:
        print(f"{path}: {error!r}")
        return wrong + 1
    if order.last is None:
        print(f"{path}: it has no records")
        wrong += 1
    elif order.last != "summary" and not truncated:
        print(f"{path}: it has no summary")
        wrong += 1
    return wrong


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--truncated", action="store_true")
    parser.add_argument("schema", metavar="SCHEMA")
    parser.add_argument("traces", metavar="TRACE", nargs="+")
    options = parser.parse_args()
    with sys.stdin if options.schema == "-" else open(options.schema, encoding="utf-8") as source:
        schema = json.load(source)
    if options.strict:
        close_objects(schema)
    checker = Checker(schema)
    wrong = [path for path in options.traces if check(path, checker, options.truncated)]
    print(f"{len(options.traces) - len(wrong)} of {len(options.traces)} traces are valid")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
