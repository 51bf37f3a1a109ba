"""Features: one row for each flight, split by day into training and held-out rows.

    python src/features.py                                          all of data/clean
    python src/features.py --month FLIGHTS.parquet --out ROWS.parquet    one new raw month
"""

import argparse
from pathlib import Path

import pandas as pd
import yaml

from clean import CLEAN, WEATHER, clean_flights, clean_weather

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["distance", "weekday", "departure", "arrival",
           "temp", "humid", "wind_speed", "precip", "pressure", "visib"]
COLUMNS = CATEGORIES + NUMBERS
LABEL = "late"
LATE_MINUTES = 15


def build_rows(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Flights with the weather of their hour; cancelled and diverted ones have no label."""
    rows = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    date = pd.to_datetime(rows[["year", "month", "day"]])
    rows["weekday"] = date.dt.day_of_week
    rows["departure"] = minutes_of_day(rows["sched_dep_time"])
    rows["arrival"] = minutes_of_day(rows["sched_arr_time"])
    rows["id"] = (date.dt.strftime("%Y%m%d") + "-" + rows["origin"] + "-" + rows["carrier"]
                  + rows["flight"].astype(str) + "-" + rows["sched_dep_time"].astype(str).str.zfill(4))
    # Weather comes in hundredths; whole numbers are as good and mean the same in every runtime.
    rows["precip"] = rows["precip"] * 100
    rows[NUMBERS] = rows[NUMBERS].round().astype("float64")
    rows[LABEL] = (rows["arr_delay"] > LATE_MINUTES).astype("Int64").mask(rows["arr_delay"].isna())
    return rows[["id"] + COLUMNS + [LABEL]]


def minutes_of_day(hhmm: pd.Series) -> pd.Series:
    return hhmm // 100 * 60 + hhmm % 100


def split(rows: pd.DataFrame, holdout_every: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    labelled = rows.dropna(subset=[LABEL]).astype({LABEL: "int64"})
    day = labelled["id"].str[6:8].astype(int)  # ids begin with the date, as 20130131
    held_out = day % holdout_every == 0
    return labelled[~held_out], labelled[held_out]


def main() -> None:
    parser = argparse.ArgumentParser(description="Rows for the model, out of flights and weather")
    parser.add_argument("--month", type=Path, help="one raw month instead of all cleaned ones")
    parser.add_argument("--out", type=Path, help="where its rows go (.parquet)")
    args = parser.parse_args()
    if (args.month is None) != (args.out is None):
        parser.error("--month and --out belong together")

    if args.month:
        weather = clean_weather(pd.read_parquet(WEATHER))
        rows = build_rows(clean_flights(pd.read_parquet(args.month)), weather)
        rows.to_parquet(args.out, index=False)
        print(f"{args.out}: {len(rows):,} rows")
        return

    params = yaml.safe_load(Path("params.yaml").read_text())["data"]
    weather = pd.read_parquet(CLEAN / "weather.parquet")
    months = sorted(CLEAN.glob("flights-*.parquet"))[-params["last_months"]:]
    rows = pd.concat([build_rows(pd.read_parquet(month), weather) for month in months], ignore_index=True)
    train, held_out = split(rows, params["holdout_every"])
    train.to_parquet("data/train.parquet", index=False)
    held_out.to_parquet("data/heldout.parquet", index=False)
    print(f"{months[0].stem} to {months[-1].stem}: {len(train):,} rows to train on, {len(held_out):,} held out")


if __name__ == "__main__":
    main()
