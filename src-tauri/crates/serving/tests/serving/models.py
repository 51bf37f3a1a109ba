"""Make the model folders that the tests serve, each with the original's answers beside it. Called with the folder to fill."""

import json
import os
import sys
import warnings

import lightgbm
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")
out = sys.argv[1]
random = np.random.default_rng(0)
rows = 600
table = pd.DataFrame(
    {
        "distance": random.gamma(2, 300, rows),
        "hour": random.integers(0, 24, rows),
        "carrier": random.choice(["AA", "DL", "UA"], rows),
        "origin": random.choice(["JFK", "LAX", "SFO", "ORD"], rows),
    }
)
noise = random.normal(0, 0.6, rows)
late = ((table.distance > 600).astype(int) + (table.hour > 15) + (table.carrier == "AA") + noise > 1.5).astype(int)


def pipeline(model):
    columns = [
        ("numbers", StandardScaler(), ["distance", "hour"]),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["carrier", "origin"]),
    ]
    return Pipeline([("columns", ColumnTransformer(columns)), ("model", model)])


def save(name, flavor, model, features, **options):
    path = os.path.join(out, name)
    signature = infer_signature(features, model.predict(features))
    flavor.save_model(model, path=path, signature=signature, input_example=features.head(5), **options)
    head = features.head(200)
    truth = {
        "rows": json.loads(head.to_json(orient="split", index=False, double_precision=15)),
        "predictions": np.asarray(model.predict(head)).tolist(),
        "scores": np.asarray(model.predict_proba(head))[:, 1].tolist(),
    }
    with open(path + ".json", "w") as file:
        json.dump(truth, file)


sklearn = {"serialization_format": "cloudpickle"}
save("forest", mlflow.sklearn, pipeline(RandomForestClassifier(30, random_state=0)).fit(table, late), table, **sklearn)
# As `mlflow.autolog()` logs it: with a signature, and without an example.
words_only = ColumnTransformer([("words", OneHotEncoder(), ["carrier", "origin"])], remainder=SimpleImputer())
bare = Pipeline([("columns", words_only), ("model", LogisticRegression(max_iter=1000))]).fit(table, late)
signature = infer_signature(table, bare.predict(table))
mlflow.sklearn.save_model(bare, os.path.join(out, "bare"), signature=signature, **sklearn)
words = np.where(late, "late", "on time")
save("logistic", mlflow.sklearn, pipeline(LogisticRegression()).fit(table, words), table, **sklearn)
numbers = table[["distance", "hour"]]
booster = lightgbm.LGBMClassifier(n_estimators=40, verbose=-1).fit(numbers, late)
save("lightgbm", mlflow.lightgbm, booster, numbers)
arrays = numbers.to_numpy()
tensor = LogisticRegression().fit(arrays, late)
signature = infer_signature(arrays, tensor.predict(arrays))
mlflow.sklearn.save_model(tensor, os.path.join(out, "tensor"), signature=signature, input_example=arrays[:3], **sklearn)
with open(os.path.join(out, "tensor.json"), "w") as file:
    json.dump({"rows": arrays[:5].tolist(), "predictions": tensor.predict(arrays[:5]).tolist()}, file)


class Weekday(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["when"].dt.dayofweek


days = pd.DataFrame({"when": pd.to_datetime(["2013-01-01T10:00:00", "2013-01-05T00:00:00"])})
mlflow.pyfunc.save_model(
    os.path.join(out, "weekday"),
    python_model=Weekday(),
    signature=infer_signature(days, pd.Series([1])),
    input_example=days,
)


class Doubler(mlflow.pyfunc.PythonModel):
    """Prints, waits and dies on request: what real models do by accident."""

    def predict(self, context, model_input, params=None):
        import os
        import time

        print("a model that prints")
        if (model_input["distance"] == -1).any():
            os._exit(3)
        if (model_input["distance"] == -2).any():
            time.sleep(60)
        if (model_input["distance"] == -3).any():
            raise RuntimeError("it is broken")
        return model_input["distance"] * 2


mlflow.pyfunc.save_model(
    os.path.join(out, "doubler"),
    python_model=Doubler(),
    signature=infer_signature(table, pd.Series([1.0])),
    input_example=table.head(3),
)
