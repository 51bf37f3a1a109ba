"""Clean: keep what is known before departure, and the arrival delay to learn from."""

from pathlib import Path

import pandas as pd

RAW = Path("data/raw")
WEATHER = Path("data/weather-2013.parquet")
CLEAN = Path("data/clean")

# Delays so far, air time and tail number are known only once the aircraft moves.
KNOWN_BEFORE = ["year", "month", "day", "sched_dep_time", "sched_arr_time", "carrier", "flight",
                "origin", "dest", "distance", "time_hour"]
MAX_WIND_MPH = 100  # the anemometer at Newark once reported 1,048


def clean_flights(flights: pd.DataFrame) -> pd.DataFrame:
    flights = flights[KNOWN_BEFORE + ["arr_delay"]]
    return flights.drop_duplicates(["time_hour", "carrier", "flight", "origin"])


def clean_weather(weather: pd.DataFrame) -> pd.DataFrame:
    weather = weather.drop_duplicates(["origin", "time_hour"]).copy()
    weather["wind_speed"] = weather["wind_speed"].where(weather["wind_speed"] < MAX_WIND_MPH)
    return weather.drop(columns=["year", "month", "day", "hour"])


def main() -> None:
    CLEAN.mkdir(parents=True, exist_ok=True)
    for path in sorted(RAW.glob("flights-*.parquet")):
        flights = pd.read_parquet(path)
        cleaned = clean_flights(flights)
        cleaned.to_parquet(CLEAN / path.name, index=False)
        print(f"{path.name}: {len(flights):,} flights, {cleaned['arr_delay'].isna().sum():,} never arrived as planned")
    clean_weather(pd.read_parquet(WEATHER)).to_parquet(CLEAN / "weather.parquet", index=False)


if __name__ == "__main__":
    main()
