"""Checks the sample without Lapwing: its rows, its model, and that ONNX says the same as scikit-learn.

    python check.py        with the packages of tests/setup/peers.txt
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import yaml
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.metrics import roc_auc_score

HERE = Path(__file__).resolve().parent
ROWS_TO_TRAIN = 12_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "flight-delays"
        shutil.copytree(HERE / "flight-delays", project, ignore=shutil.ignore_patterns("__pycache__"))
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(project / "src"))
        check(project)
    print("sample: rows, model and ONNX agree")


def check(project: Path) -> None:
    from clean import clean_flights, clean_weather
    from features import CATEGORIES, COLUMNS, LABEL, NUMBERS, build_rows, split
    from train import build_model

    weather = clean_weather(pd.read_parquet(project / "data/weather-2013.parquet"))
    assert weather["wind_speed"].max() < 100, "impossible wind is dropped"

    def rows_of(month: Path) -> pd.DataFrame:
        return build_rows(clean_flights(pd.read_parquet(month)), weather)

    months = sorted((project / "data/raw").glob("flights-*.parquet"))
    later = sorted((HERE / "later").glob("flights-*.parquet"))
    assert [month.stem[-2:] for month in months + later] == [f"{n:02}" for n in range(1, 13)], "a whole year"

    rows = pd.concat([rows_of(month) for month in months], ignore_index=True)
    assert rows["id"].is_unique, "labels are joined by id"
    assert rows[COLUMNS].dtypes[NUMBERS].eq("float64").all()
    exact = rows[NUMBERS].astype("float32").astype("float64")
    assert exact.equals(rows[NUMBERS]), "every number survives 32 bits, so ONNX cannot differ by rounding"

    params = yaml.safe_load((project / "params.yaml").read_text())
    train, held_out = split(rows, params["data"]["holdout_every"])
    assert not set(train["id"].str[:8]) & set(held_out["id"].str[:8]), "no day is on both sides"

    model = build_model(params["model"])
    model.fit(train[COLUMNS].iloc[:ROWS_TO_TRAIN], train[LABEL].iloc[:ROWS_TO_TRAIN])
    score = model.predict_proba(held_out[COLUMNS])[:, 1]
    assert roc_auc_score(held_out[LABEL], score) > 0.6, "even a part of one month teaches something"

    types = [(c, StringTensorType([None, 1]) if c in CATEGORIES else FloatTensorType([None, 1])) for c in COLUMNS]
    onnx = convert_sklearn(model, initial_types=types, options={id(model): {"zipmap": False}})
    session = onnxruntime.InferenceSession(onnx.SerializeToString())
    feed = {c: held_out[c].to_numpy(dtype=object if c in CATEGORIES else np.float32).reshape(-1, 1) for c in COLUMNS}
    label, probability = session.run(None, feed)
    assert (label == model.predict(held_out[COLUMNS])).all(), "ONNX gives the same labels"
    assert np.abs(probability[:, 1] - score).max() < 1e-5, "and the same probabilities"


if __name__ == "__main__":
    main()
