"""Convert an MLflow model folder to ONNX and accept the result only when it answers like the original.

Called as `python convert.py MODEL_FOLDER OUT_FOLDER [ROWS]`. Writes OUT/model.onnx and OUT/conversion.json. ROWS is JSON like
MLflow's input example, `{"columns": [...], "data": [[...]]}`, for a model that has no example. A model that cannot be converted is
an answer ("accepted": false and why), not a failure.
"""

import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")

TOLERANCE = 1e-5
PERTURBED_ROWS = 200
# Trees compare with thresholds; in single precision a value that lies on one may fall on its other side. So many of the
# perturbed rows may differ in their probability (never in their label), and none of the rows of the example.
MAX_MOVED_ROWS = 0.02


class NotConvertible(Exception):
    pass


def main(model_folder, out, rows_file=None):
    report = {"accepted": False, "why": "", "max_abs_difference": None, "rows_compared": 0, "graph": None}
    try:
        convert(model_folder, out, rows_file, report)
    except NotConvertible as reason:
        report["why"] = str(reason)
    except ImportError as missing:
        report["why"] = f"the model's environment lacks what the conversion needs: {missing}"
    except Exception as error:  # a converter may fail in any way; the Python runtime serves the model then
        text = " ".join(str(error).split())
        report["why"] = f"{type(error).__name__}: {text[:300]}"
    path = os.path.join(out, "conversion.json")
    with open(path + ".tmp", "w") as file:
        json.dump(report, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)


def convert(model_folder, out, rows_file, report):
    import mlflow.pyfunc

    pyfunc = mlflow.pyfunc.load_model(model_folder)
    metadata = pyfunc.metadata
    flavors = metadata.flavors
    if "sklearn" in flavors:
        import mlflow.sklearn

        model = mlflow.sklearn.load_model(model_folder)
    elif "lightgbm" in flavors:
        import mlflow.lightgbm

        model = mlflow.lightgbm.load_model(model_folder)
    else:
        names = [name for name in flavors if name != "python_function"] or ["python_function"]
        raise NotConvertible(f"models of flavour {', '.join(names)} are not converted")
    schema = metadata.get_input_schema()
    if schema is None or schema.is_tensor_spec():
        raise NotConvertible("the model's signature does not name its columns")
    kinds = {column.name: column.type.name for column in schema.inputs if hasattr(column.type, "name")}
    if len(kinds) != len(schema.inputs) or any(kind in ("binary", "datetime") for kind in kinds.values()):
        raise NotConvertible("the signature has columns that ONNX cannot take")
    example = pyfunc.input_example if hasattr(pyfunc, "input_example") else None
    if example is None:
        example = metadata.load_input_example(model_folder)
    given = example is not None
    if not given:
        example = training_rows(rows_file, kinds)
    rows = sample_rows(example, kinds)
    truth = Truth(pyfunc, model, rows)
    # Among many rows one may lie on a threshold; the few that the model's author chose may not move.
    truth.strict_rows = len(rows) - PERTURBED_ROWS if given else 0

    reasons, best = [], None
    for plan in plans(model, kinds):
        try:
            graph, onnx_model = to_graph(model, plan, truth)
            difference, moved = compare(onnx_model, graph, rows, truth)
        except NotConvertible as reason:
            reasons.append(str(reason))
            continue
        except Exception as error:
            text = " ".join(str(error).split())
            reasons.append(f"{type(error).__name__}: {text[:200]}")
            continue
        if best is None or (moved, difference) < best[:2]:
            best = (moved, difference, graph, onnx_model)
        if moved == 0:
            break
    if best is None:
        report["rows_compared"] = len(rows)
        raise NotConvertible("; ".join(dict.fromkeys(reasons)) or "no conversion is known for this model")
    moved, difference, graph, onnx_model = best
    save(onnx_model, os.path.join(out, "model.onnx"))
    report.update(
        accepted=True,
        why=f"same answers as the original on {len(rows)} rows"
        + (f", {moved} of them with a probability moved by up to {difference:.2g}" if moved else ""),
        max_abs_difference=difference,
        rows_compared=len(rows),
        graph=graph,
    )


def training_rows(rows_file, kinds):
    """Rows that the model was trained on, without those that its signature could not take."""
    import pandas as pd

    if rows_file is None:
        raise NotConvertible("the model has no input example to compare outputs on, and its training data is not known")
    with open(rows_file) as file:
        split = json.load(file)
    rows = pd.DataFrame(split["data"], columns=split["columns"])
    whole = [name for name, kind in kinds.items() if kind not in ("float", "double")]
    rows = rows.dropna(subset=[name for name in whole if name in rows.columns])
    if rows.empty:
        raise NotConvertible("the model has no input example to compare outputs on, and no row of its training data is complete")
    return rows


def sample_rows(example, kinds):
    """The input example, and rows made from it by mixing its columns and moving its numbers."""
    import numpy as np
    import pandas as pd

    if not isinstance(example, pd.DataFrame):
        example = pd.DataFrame(example)
    missing = [name for name in kinds if name not in example.columns]
    if missing:
        raise NotConvertible(f"the input example lacks the columns {missing}")
    example = example[list(kinds)].reset_index(drop=True)
    random = np.random.default_rng(7)
    mixed = {}
    for name, kind in kinds.items():
        values = example[name].to_numpy()[random.integers(0, len(example), PERTURBED_ROWS)]
        if kind in ("float", "double"):
            values = values.astype("float64")
            spread = float(np.nanstd(example[name].astype("float64"))) if len(example) > 1 else 0.0
            spread = spread or max(1.0, float(np.nanmax(np.abs(values), initial=0.0)))
            values = values + random.normal(0.0, spread, PERTURBED_ROWS)
        elif kind in ("integer", "long"):
            values = values.astype("int64")
            spread = max(1, int(np.std(example[name].astype("float64"))))
            values = values + random.integers(-spread, spread + 1, PERTURBED_ROWS)
        mixed[name] = values
    rows = pd.concat([example, pd.DataFrame(mixed)], ignore_index=True)
    types = {"float": "float32", "double": "float64", "integer": "int32", "long": "int64", "boolean": "bool"}
    for name, kind in kinds.items():
        if kind in types:
            rows[name] = rows[name].astype(types[kind])
        elif kind == "string":
            rows[name] = rows[name].astype(object)
    return rows


class Truth:
    """What the original answers: `predict` as a client of the endpoint would see it, and probabilities."""

    def __init__(self, pyfunc, model, rows):
        import numpy as np

        self.predictions = np.asarray(pyfunc.predict(rows))
        self.probabilities = None
        self.classes = None
        if hasattr(model, "predict_proba"):
            self.probabilities = np.asarray(model.predict_proba(rows), dtype="float64")
            self.classes = list(np.asarray(model.classes_).tolist())
        if self.predictions.ndim == 2 and self.predictions.shape[1] == 1:
            self.predictions = self.predictions[:, 0]


def plans(model, kinds):
    """Ways to declare the graph's inputs, best first: [(input name, graph type, columns)]."""
    numbers = {"float", "double", "integer", "long", "boolean"}
    exact = {"integer": "int64", "long": "int64", "boolean": "bool", "string": "string"}
    all_numbers = all(kind in numbers for kind in kinds.values())
    columns = list(kinds)
    if is_pipeline(model):
        for wide in ("float", "double"):
            yield [(name, exact.get(kind, wide), [name]) for name, kind in kinds.items()]
        yield [(name, "string" if kind == "string" else "float", [name]) for name, kind in kinds.items()]
    if all_numbers:
        yield [("features", "float", columns)]
        yield [("features", "double", columns)]


def is_pipeline(model):
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    if isinstance(model, Pipeline):
        return any(isinstance(step, ColumnTransformer) for _, step in model.steps)
    return isinstance(model, ColumnTransformer)


def to_graph(model, plan, truth):
    onnx_model = booster_graph(model, plan) if is_lightgbm(model) else sklearn_graph(model, plan)
    outputs = [output.name for output in onnx_model.graph.output]
    probabilities = None
    label = next((name for name in outputs if "label" in name), None)
    if label is not None and len(outputs) > 1:
        probabilities = next((name for name in outputs if name != label), None)
    graph = {
        "inputs": [{"name": name, "dtype": kind, "columns": columns} for name, kind, columns in plan],
        "probabilities": probabilities,
        "classes": truth.classes or [],
    }
    if truth.probabilities is not None and label is not None:
        boolean = truth.predictions.dtype == bool
        graph["predictions"] = {"kind": "label", "output": label, "boolean": bool(boolean)}
    elif label is not None and probabilities is not None:
        kind = "positive_probability" if truth.predictions.ndim == 1 else "probabilities"
        graph["predictions"] = {"kind": kind}
    else:
        graph["predictions"] = {"kind": "value", "output": outputs[0]}
    return graph, onnx_model


def is_lightgbm(model):
    return type(model).__module__.split(".")[0] == "lightgbm"


def booster_graph(model, plan):
    import onnxmltools
    from onnxmltools.convert.common.data_types import DoubleTensorType, FloatTensorType

    if len(plan) != 1:
        raise NotConvertible("LightGBM takes its columns side by side")
    booster = getattr(model, "booster_", model)
    if getattr(booster, "pandas_categorical", None):
        raise NotConvertible("LightGBM's own categorical columns have no equivalent in ONNX")
    name, kind, columns = plan[0]
    tensor = FloatTensorType if kind == "float" else DoubleTensorType
    return onnxmltools.convert_lightgbm(
        model, initial_types=[(name, tensor([None, len(columns)]))], zipmap=False, target_opset=15
    )


def sklearn_graph(model, plan):
    import skl2onnx
    from skl2onnx.common import data_types

    register_lightgbm()
    types = {
        "float": data_types.FloatTensorType,
        "double": data_types.DoubleTensorType,
        "int64": data_types.Int64TensorType,
        "string": data_types.StringTensorType,
        "bool": data_types.BooleanTensorType,
    }
    initial = [(name, types[kind]([None, len(columns)])) for name, kind, columns in plan]
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    return skl2onnx.convert_sklearn(
        model, initial_types=initial, options=options, target_opset={"": 18, "ai.onnx.ml": 3}
    )


def register_lightgbm():
    """Lets pipelines end in LightGBM's scikit-learn classes."""
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import (
            calculate_linear_classifier_output_shapes,
            calculate_linear_regressor_output_shapes,
        )
    except ImportError:
        return
    update_registered_converter(
        LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    update_registered_converter(
        LGBMRegressor,
        "LgbmRegressor",
        calculate_linear_regressor_output_shapes,
        convert_lightgbm,
        options={"split": None},
    )


def feed(graph, rows):
    import numpy as np

    dtypes = {"float": "float32", "double": "float64", "int64": "int64", "bool": "bool"}
    fed = {}
    for entry in graph["inputs"]:
        block = rows[entry["columns"]]
        if entry["dtype"] == "string":
            fed[entry["name"]] = block.astype(str).to_numpy(dtype=object)
        else:
            fed[entry["name"]] = np.ascontiguousarray(block.to_numpy(dtype=dtypes[entry["dtype"]]))
    return fed


def compare(onnx_model, graph, rows, truth):
    """The largest difference; raises when it is too large or a label differs."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answers = dict(zip(names, session.run(None, feed(graph, rows))))
    difference = (0.0, 0)
    kind = graph["predictions"]["kind"]
    if kind == "label":
        labels = np.asarray(answers[graph["predictions"]["output"]]).reshape(-1)
        if truth.predictions.dtype == bool:
            labels = labels.astype(bool)
        wrong = int(np.sum(labels.astype(str) != truth.predictions.astype(str)))
        if wrong:
            raise NotConvertible(f"the converted model gives another label for {wrong} of {len(rows)} rows")
        if graph["probabilities"] is not None:
            difference = apart(answers[graph["probabilities"]], truth.probabilities, TOLERANCE, truth.strict_rows)
    elif kind == "value":
        values = np.asarray(answers[graph["predictions"]["output"]], dtype="float64")
        scale = max(1.0, float(np.nanmax(np.abs(truth.predictions.astype("float64")), initial=1.0)))
        difference = apart(values.reshape(truth.predictions.shape), truth.predictions, TOLERANCE * scale, truth.strict_rows)
    else:
        values = np.asarray(answers[graph["probabilities"]], dtype="float64")
        if kind == "positive_probability":
            values = values[:, 1]
        difference = apart(values, truth.predictions, TOLERANCE, truth.strict_rows)
    return difference


def apart(got, wanted, tolerance, strict_rows):
    import numpy as np

    got = np.asarray(got, dtype="float64")
    wanted = np.asarray(wanted, dtype="float64")
    if got.shape != wanted.shape:
        raise NotConvertible(f"the converted model answers in another shape: {got.shape} for {wanted.shape}")
    differences = np.abs(got - wanted).reshape(len(got), -1).max(axis=1, initial=0.0)
    difference = float(differences.max(initial=0.0))
    far = ~(differences <= tolerance)
    if far[:strict_rows].any() or far.sum() > MAX_MOVED_ROWS * len(got):
        raise NotConvertible(f"the converted model's numbers differ on {int(far.sum())} rows, by up to {difference:.3g}")
    return difference, int(far.sum())


def save(onnx_model, path):
    with open(path + ".tmp", "wb") as file:
        file.write(onnx_model.SerializeToString())
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)


if __name__ == "__main__":
    main(*sys.argv[1:])
