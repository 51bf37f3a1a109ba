"""Score the rows of files with one MLflow model, piece by piece, so that a file larger than memory goes through.

Called as `python score.py ORDER.json`; `scoring.rs` writes the order, whose paths are relative to the current folder, and puts
`rows.py` and the endpoint's `worker.py` beside this file, under names that no model's own code has. The output, and `summary.json`
beside it, appear when they are whole. Why there is none is in `failure.json` there.
"""

import base64
import hashlib
import json
import os
import sys
import time
import traceback

import mlflow.pyfunc  # noqa: F401 - named here so that a machine without it is noticed before anything waits in a queue
import pandas as pd
from lapwing_rows import FRACTIONS, NUMBERS, READERS, WHOLE, WRITERS, Refused
from lapwing_worker import load, plain, probability

TELL_SECONDS = 5
# MLflow's words for columns, and numpy's for tensors.
KINDS = {word: word for word in (*NUMBERS, "boolean", "string", "binary", "datetime")}
KINDS |= {dtype: kind for kind, dtype in NUMBERS.items()} | {"bool": "boolean"}


def main(path):
    with open(path) as file:
        order = json.load(file)
    folder = os.path.dirname(order["out"])
    os.makedirs(folder, exist_ok=True)
    part = "making.part"
    try:
        summary = score(order, part)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        summary.update(digest(part))
        os.replace(part, order["out"])
        left(folder, "summary.json", summary)
        return 0
    except Refused as refused:
        message, hint = str(refused), refused.hint
    except ModuleNotFoundError as error:
        traceback.print_exc()
        message = f"the model needs the module `{error.name}`, which is not in its environment"
        hint = f"log it with `extra_pip_requirements=[…]` for `{error.name}`, or add it to the model's requirements.txt"
    except MemoryError:
        message, hint = "the memory does not suffice for the model", "give it more, or run it on a larger machine"
    except OSError as error:
        traceback.print_exc()
        what = f"`{error.filename}` cannot be used" if error.filename else "the output cannot be written"
        message, hint = f"{what}: {error.strerror or error}", None
    except Exception as error:
        traceback.print_exc()
        message, hint = f"the scoring failed: {said(error)}", None
    if os.path.exists(part):
        os.remove(part)
    print(message, flush=True)
    left(folder, "failure.json", {"message": message, "hint": hint})
    return 1


def left(folder, name, value):
    place = os.path.join(folder, name)
    with open(place + ".part", "w") as file:
        json.dump(value, file)
    os.replace(place + ".part", place)


def digest(path):
    """Size, and MD5 as DVC has it: by its content the file is found again."""
    md5, size = hashlib.md5(usedforsecurity=False), 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            md5.update(block)
            size += len(block)
    return {"md5": md5.hexdigest(), "bytes": size}


def score(order, part):
    begun = time.monotonic()
    print("loading the model", flush=True)
    try:
        # MLflow takes a link for a way out of the folder.
        model, raw = load(os.path.realpath(order["model"]))
    except ModuleNotFoundError:
        raise
    except Exception as error:
        traceback.print_exc()
        raise Refused(f"the model cannot be loaded: {said(error)}") from None
    takes = wanted(model)
    out = WRITERS[order["writes"]](part, order)
    rows, told = 0, time.monotonic()
    for shown, given in READERS[order["reads"]](order, takes):
        count = len(given)
        if count == 0:
            continue
        predictions = predicted(model, fitted(given, takes, order["reads"], rows + 1), rows + 1, rows + count)
        made = {"prediction": column(predictions, count)}
        scores = probability(raw, given)
        if rows == 0 and scores is None:
            raw = None  # The first rows tell: all have a score, or none has.
        if raw is not None:
            made["score"] = pd.Series(scores or [None] * count, dtype="float64")
        out.write(shown, made)
        rows += count
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            print(f"scored {rows:,} rows", flush=True)
    out.close()
    if rows == 0:
        raise Refused("the data has no rows")
    seconds = time.monotonic() - begun
    print(f"scored {rows:,} rows in {seconds:.1f} s", flush=True)
    data = [{"path": path, **digest(path)} for path in order["data"]]
    return {"rows": rows, "seconds": seconds, "data": data}


def said(error):
    """Without the rows, which MLflow repeats."""
    text = str(error)
    if "Failed to enforce schema of data" in text:
        return text.rpartition("Error: ")[2]
    return f"{type(error).__name__}: {text}".strip().split("\n\n")[0]


# ---- what the model takes


class Column:
    def __init__(self, name, kind, required=True):
        self.name, self.kind, self.required = name, kind, required


def wanted(model):
    """The columns that the model names; None where it takes the table as it is."""
    schema = model.metadata.get_input_schema()
    if schema is None or any(spec.name is None for spec in schema.inputs):
        return None
    return [Column(spec.name, KINDS.get(getattr(spec.type, "name", None), "any"), spec.required) for spec in schema.inputs]


def fitted(given, takes, reads, first):
    if takes is None:
        return given.apply(as_numpy) if reads == "csv" else given
    made = {}
    for column in takes:
        if column.name not in given or not column.required and given[column.name].isna().all():
            continue
        values = given[column.name]
        if column.kind in WHOLE and values.isna().any():
            row = first + int(values.isna().to_numpy().argmax())
            raise Refused(
                f"column `{column.name}` has no value in row {row:,}, and the model takes whole numbers there",
                "fill it in, or log the model with rows in which some are missing",
            )
        made[column.name] = as_kind(values, column, reads)
    return pd.DataFrame(made, index=given.index)


def as_kind(values, column, reads):
    """The model's own type where no value changes by it; else MLflow says what it does not like."""
    kind = column.kind
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if kind in NUMBERS:
        return number(values, kind)
    if kind == "boolean":
        return as_numpy(values)
    if kind == "datetime":
        return times(values, column.name)
    if kind == "binary":
        return values.map(lambda value: base64.b64decode(value) if isinstance(value, str) else value)
    if kind == "any" and reads == "csv":
        return values.map(from_text)
    return values


def times(values, name):
    """In UTC, as MLflow takes them: without a zone."""
    try:
        try:
            made = pd.to_datetime(values, utc=True, format="ISO8601")
        except ValueError:
            made = pd.to_datetime(values, utc=True)
    except (TypeError, ValueError) as error:
        raise Refused(f"column `{name}` holds no times: {error}") from None
    return made.dt.tz_localize(None)


def as_numpy(values):
    """Without pandas' own types for what may be missing, which models do not know."""
    if not isinstance(values.dtype, (pd.Int64Dtype, pd.BooleanDtype)):
        return values
    if not values.hasnans:
        return values.astype(values.dtype.numpy_dtype)
    return values.astype("float64") if isinstance(values.dtype, pd.Int64Dtype) else values.astype(object).where(values.notna(), None)


def number(values, kind):
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        try:
            values = pd.to_numeric(values)
        except (TypeError, ValueError):
            return values
    if values.dtype.kind not in "iuf":
        return values
    made = values.astype(NUMBERS[kind])
    return made if kind in FRACTIONS or (made == values).all() else values


def from_text(value):
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def predicted(model, given, first, last):
    try:
        return model.predict(given)
    except (ModuleNotFoundError, MemoryError):
        raise
    except Exception as error:
        traceback.print_exc()
        raise Refused(f"the model refuses rows {first:,} to {last:,}: {said(error)}") from None


def column(predictions, rows):
    """One value for each row: numbers and words as they are, several of them as JSON."""
    if getattr(predictions, "ndim", 1) == 2 and predictions.shape[1] == 1:
        predictions = predictions.iloc[:, 0] if hasattr(predictions, "iloc") else predictions[:, 0]
    try:
        plain_numbers = predictions.ndim == 1 and predictions.dtype.kind in "iufb"
    except AttributeError:
        plain_numbers = False
    values = pd.Series(predictions).reset_index(drop=True) if plain_numbers else listed(predictions)
    if len(values) != rows:
        raise Refused(f"the model gives {len(values):,} predictions for {rows:,} rows")
    return values


def listed(predictions):
    values = plain(predictions)
    if not isinstance(values, list):
        values = [values]
    several = (list, dict)
    values = [json.dumps(value, ensure_ascii=False) if isinstance(value, several) else value for value in values]
    return pd.Series(values, dtype=None if values else object)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
