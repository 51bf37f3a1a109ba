"""Serve one MLflow model over pipes: frames of a 4-byte big-endian length and JSON, one answer for each question.

Called as `python worker.py MODEL_FOLDER`. Real standard output belongs to the frames; prints of the model go to standard error.
"""

import json
import math
import os
import struct
import sys
import traceback
import warnings


def main(folder):
    frames_in = os.fdopen(os.dup(0), "rb")
    frames_out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    try:
        model, raw = load(folder)
    except BaseException as error:
        traceback.print_exc()
        write(frames_out, {"error": f"{type(error).__name__}: {error}"})
        return 1
    write(frames_out, {"ready": True})
    while True:
        question = read(frames_in)
        if question is None:
            return 0
        write(frames_out, answer(model, raw, question))


def load(folder):
    warnings.filterwarnings("ignore")
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(folder)
    raw = None
    try:
        candidate = model.get_raw_model()
        if hasattr(candidate, "predict_proba"):
            raw = candidate
    except Exception:
        pass  # not every flavour gives its model out; there are no scores then
    return model, raw


def read(stream):
    head = stream.read(4)
    if len(head) < 4:
        return None
    body = stream.read(struct.unpack(">I", head)[0])
    return json.loads(body)


def write(stream, value):
    body = json.dumps(value, allow_nan=False).encode()
    stream.write(struct.pack(">I", len(body)))
    stream.write(body)
    stream.flush()


def answer(model, raw, question):
    try:
        data = model_input(question)
        params = question.get("params") or {}
        predictions = model.predict(data, params=params) if params else model.predict(data)
        reply = {"predictions": plain(predictions)}
        scores = probability(raw, data)
        if scores is not None:
            reply["scores"] = scores
        return reply
    except Exception as error:
        traceback.print_exc()
        kind = type(error).__name__
        return {"error": f"{kind}: {error}", "invalid": kind in ("MlflowException", "ValueError", "TypeError", "KeyError")}


def model_input(question):
    if "columns" in question:
        return frame(question["columns"], question["rows"])
    import numpy as np

    data = question["data"]
    dtypes = question.get("dtypes")
    if isinstance(data, dict) and dtypes:
        return {name: np.asarray(values, dtype=dtypes.get(name)) for name, values in data.items()}
    if dtypes and None in dtypes.values():
        raise ValueError("the model takes named tensors")
    if question.get("dtype"):
        return np.asarray(data, dtype=question["dtype"])
    if question.get("table"):
        import pandas as pd

        return pd.DataFrame(data["data"], columns=data["columns"])
    if isinstance(data, list) and data and isinstance(data[0], dict):
        import pandas as pd

        return pd.DataFrame.from_records(data)
    return data


def frame(columns, rows):
    import pandas as pd

    dtypes = {"float": "float32", "double": "float64", "integer": "int32", "long": "int64", "boolean": "bool"}
    made = {}
    for column in columns:
        name, kind, values = column["name"], column["type"], column["values"]
        if column.get("optional") and all(value is None for value in values):
            continue
        if kind in dtypes:
            series = pd.Series([float("nan") if value is None else value for value in values])
            holds_null = kind not in ("float", "double") and series.isna().any()
            made[name] = series if holds_null else series.astype(dtypes[kind])
        elif kind == "datetime":
            made[name] = pd.to_datetime(pd.Series(values), unit="us")
        elif kind == "binary":
            import base64

            made[name] = pd.Series([None if value is None else base64.b64decode(value) for value in values], dtype=object)
        elif kind == "any":
            made[name] = pd.Series([None if value is None else json.loads(value) for value in values], dtype=object)
        else:
            made[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(made, index=range(rows))


def probability(raw, data):
    """For two classes the second one's, for more the predicted one's."""
    if raw is None:
        return None
    try:
        import numpy as np

        table = np.asarray(raw.predict_proba(data), dtype="float64")
    except Exception:
        return None  # a score is an addition: its absence must not refuse a prediction
    if table.ndim != 2:
        return None
    column = table[:, 1] if table.shape[1] == 2 else table.max(axis=1)
    return [finite(value) for value in column.tolist()]


def finite(value):
    return value if math.isfinite(value) else None


def plain(value):
    """JSON of what `predict` gave, in the shapes of MLflow's scoring server."""
    kind = type(value).__module__.split(".")[0]
    if kind == "pandas":
        if hasattr(value, "columns"):
            return [plain(row) for row in value.to_dict(orient="records")]
        return [plain(entry) for entry in value.tolist()]
    if kind in ("numpy", "scipy"):
        dense = value.toarray() if hasattr(value, "toarray") else value
        return plain(dense.tolist() if hasattr(dense, "tolist") else dense)
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return finite(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
