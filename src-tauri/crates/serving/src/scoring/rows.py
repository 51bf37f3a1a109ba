"""The rows of CSV, Parquet and JSON-lines files, piece by piece: each as it is written again, and as a model gets it."""

import json
import os

import pandas as pd

# A wide table is read in fewer rows at a time.
CELLS = 4_000_000
LEAST_ROWS = 500
WHOLE = {"integer": "int32", "long": "int64"}
FRACTIONS = {"float": "float32", "double": "float64"}
NUMBERS = {**WHOLE, **FRACTIONS}
OF_DTYPE = {"i": "long", "u": "long", "f": "double", "b": "boolean"}


class Refused(Exception):
    """A sentence for the user, and a next step."""

    def __init__(self, message, hint=None):
        super().__init__(message)
        self.hint = hint


def present(takes, names, path):
    """Those that the data has, in the model's order."""
    missing = [column.name for column in takes if column.required and column.name not in names]
    if missing:
        raise Refused(
            f"{os.path.basename(path)} has no column `{'`, `'.join(missing)}`, which the model takes",
            f"it has {', '.join(map(str, names))}",
        )
    return [column for column in takes if column.name in names]


def at_a_time(order, columns):
    return min(order["rows"], max(LEAST_ROWS, CELLS // max(columns, 1)))


def unreadable(path, error):
    return Refused(f"{os.path.basename(path)} cannot be read: {error}", "is it cut off, or of another kind?")


def read_csv(order, takes):
    names = None
    for path in order["data"]:
        head = list(csv(path, order, nrows=0).columns)
        names = same(names, head, path)
    kinds = {}
    if takes is not None:
        takes = present(takes, names, order["data"][0])
        kinds = {column.name: column.kind for column in takes}
    # CSV has no types of its own: where nobody names them, all rows are looked at.
    guessed = inferred(order) if takes is None or order["writes"] == "parquet" else {}
    as_given = {name: read_as(kind) for name, kind in (kinds or guessed).items()}
    as_shown = {"dtype": str, "na_filter": False}
    if order["writes"] == "parquet":
        order["kinds"] = guessed
        as_shown = {"dtype": {name: read_as(kind) for name, kind in guessed.items()}}
    rows = at_a_time(order, len(names))
    for path in order["data"]:
        try:
            typed = csv(path, order, chunksize=rows, usecols=list(as_given), dtype=as_given)
            shown = csv(path, order, chunksize=rows, **as_shown)
            first = 1
            for texts in shown:
                yield texts.reset_index(drop=True), next_of(typed, path, texts, kinds, first).reset_index(drop=True)
                first += len(texts)
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            raise unreadable(path, error) from None


def csv(path, order, **how):
    try:
        # A line that ends with a separator has no column more.
        return pd.read_csv(path, sep=order["separator"], encoding="utf-8-sig", index_col=False, low_memory=False, **how)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from None


def read_as(kind):
    if kind in WHOLE:
        return "Int64"
    if kind in FRACTIONS:
        return FRACTIONS[kind]
    return "boolean" if kind == "boolean" else str


def next_of(typed, path, texts, kinds, first):
    try:
        return next(typed)
    except (ValueError, TypeError) as error:
        for name, kind in kinds.items():
            if kind in NUMBERS and name in texts:
                strange = wrong(texts[name], kind)
                if strange is not None:
                    line, value = strange
                    what = "whole number" if kind in WHOLE else "number"
                    raise Refused(
                        f"column `{name}` of {os.path.basename(path)} holds `{value}` in row {first + line:,}, which is no {what}"
                    ) from None
        raise unreadable(path, error) from None


def wrong(texts, kind):
    filled = texts[texts.notna() & (texts.astype(str).str.strip() != "")]
    numbers = pd.to_numeric(filled, errors="coerce")
    strange = numbers.isna() & ~filled.astype(str).str.lower().isin(["na", "n/a", "nan", "null", "none", "#n/a", "<na>", "-nan"])
    if kind in WHOLE:
        strange |= numbers.notna() & (numbers != numbers.round())
    strange = strange[strange]
    return None if strange.empty else (int(strange.index[0]) - int(texts.index[0]), texts[strange.index[0]])


def inferred(order):
    kinds = {}
    for path in order["data"]:
        for piece in csv(path, order, chunksize=order["rows"], dtype_backend="numpy_nullable"):
            for name, values in piece.items():
                known = kinds.get(name)
                kinds[name] = wider(known, OF_DTYPE.get(values.dtype.kind, "string")) if values.notna().any() else known
    return {name: kind or "double" for name, kind in kinds.items()}


def wider(one, other):
    if one is None or one == other:
        return other
    return "double" if {one, other} == {"long", "double"} else "string"


def same(names, head, path):
    if names is not None and names != head:
        raise Refused(f"{os.path.basename(path)} has other columns than the file before it", f"it has {', '.join(map(str, head))}")
    return head


def read_parquet(order, takes):
    import pyarrow
    import pyarrow.parquet

    names = None
    for path in order["data"]:
        try:
            names = same(names, pyarrow.parquet.ParquetFile(path).schema_arrow.names, path)
        except pyarrow.ArrowInvalid as error:
            raise unreadable(path, error) from None
    if takes is not None:
        takes = present(takes, names, order["data"][0])
    # Whole numbers stay whole where some are missing.
    types = {getattr(pyarrow, word.lower())(): word for word in (f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))}
    types = {kind: pd.api.types.pandas_dtype(word) for kind, word in types.items()} | {pyarrow.bool_(): pd.BooleanDtype()}
    for path in order["data"]:
        try:
            for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=at_a_time(order, len(names))):
                given = batch if takes is None else batch.select([column.name for column in takes])
                shown = batch if order["writes"] == "parquet" else batch.to_pandas(types_mapper=types.get)
                yield shown, given.to_pandas()
        except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
            raise unreadable(path, error) from None


def read_json(order, takes):
    kinds = {}
    for path in order["data"]:
        for record in records(path):
            for name, value in record.items():
                kinds[name] = wider(kinds.get(name), kind_of(value)) if value is not None else kinds.get(name)
    order["kinds"] = {name: kind or "string" for name, kind in kinds.items()}
    if takes is not None and kinds:
        takes = present(takes, list(kinds), order["data"][0])
    rows, piece = at_a_time(order, len(kinds)), []
    for path in order["data"]:
        for record in records(path):
            piece.append(record)
            if len(piece) == rows:
                yield json_piece(piece, order["kinds"], takes)
                piece = []
    if piece:
        yield json_piece(piece, order["kinds"], takes)


def records(path):
    with open(path, encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    record = json.loads(line)
                    if not isinstance(record, dict):
                        raise ValueError(f"line {number:,} is no object")
                    yield record
        except ValueError as error:
            raise unreadable(path, error) from None


def kind_of(value):
    if isinstance(value, bool):
        return "boolean"
    return {int: "long", float: "double", str: "string"}.get(type(value), "any")


def json_piece(piece, kinds, takes):
    def cell(value):
        return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value

    shown = pd.DataFrame({name: pd.Series([cell(record.get(name)) for record in piece], dtype=object) for name in kinds})
    names = list(kinds) if takes is None else [column.name for column in takes]
    given = pd.DataFrame({name: pd.Series([record.get(name) for record in piece]) for name in names}, index=range(len(piece)))
    return shown, given


READERS = {"csv": read_csv, "parquet": read_parquet, "json": read_json}

# ---- what is written


class Csv:
    def __init__(self, path, order):
        self.file = open(path, "w", encoding="utf-8", newline="")
        self.how, self.first = {"sep": order["writes_separator"], "index": False, "lineterminator": "\n"}, True

    def write(self, shown, made):
        for name, values in made.items():
            shown[name] = values.map({True: "true", False: "false"}) if values.dtype.kind == "b" else values
        shown.to_csv(self.file, header=self.first, **self.how)
        self.first = False

    def close(self):
        self.file.close()


class Parquet:
    def __init__(self, path, order):
        self.path, self.order, self.writer = path, order, None

    def write(self, shown, made):
        import pyarrow
        import pyarrow.parquet

        table = shown if isinstance(shown, pyarrow.RecordBatch) else self.typed(shown, pyarrow)
        names, arrays = list(table.schema.names), list(table.columns)
        for name, values in made.items():
            array = pyarrow.Array.from_pandas(values)
            names.append(name)
            arrays.append(array.cast(pyarrow.string()) if pyarrow.types.is_null(array.type) else array)
        table = pyarrow.Table.from_arrays(arrays, names=names)
        if self.writer is None:
            self.writer = pyarrow.parquet.ParquetWriter(self.path, table.schema)
        try:
            self.writer.write_table(table.cast(self.writer.schema))
        except pyarrow.ArrowInvalid as error:
            raise Refused(f"the columns change their type on the way: {error}", "write CSV instead") from None

    def typed(self, shown, pyarrow):
        """The same types in each piece, whatever it lacks."""
        kinds = self.order.get("kinds") or {}
        types = {"long": pyarrow.int64(), "double": pyarrow.float64(), "boolean": pyarrow.bool_()}

        def array(values):
            kind = types.get(kinds.get(values.name) or OF_DTYPE.get(values.dtype.kind))
            if kind is None:
                values = values.astype(object).where(values.notna(), None).map(lambda value: value if value is None else as_text(value))
                kind = pyarrow.string()
            return pyarrow.Array.from_pandas(values, type=kind)

        return pyarrow.RecordBatch.from_arrays([array(shown[name]) for name in shown], names=list(map(str, shown)))

    def close(self):
        if self.writer is not None:
            self.writer.close()


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


WRITERS = {"csv": Csv, "parquet": Parquet}
