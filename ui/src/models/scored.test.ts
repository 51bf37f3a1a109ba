import { expect, test } from "vitest";
import { addedFirst, outFault, outOf } from "./scored";

test("predictions go beside the data, as the same kind of file", () => {
  expect(outOf("/data/rows.csv")).toBe("/data/rows-scored.csv");
  expect(outOf("/data/rows.PARQUET")).toBe("/data/rows-scored.parquet");
  expect(outOf("/data/rows.jsonl ")).toBe("/data/rows-scored.csv");
  expect(outOf("/data/parts/")).toBe("/data/parts-scored.csv");
  expect(outOf("C:\\data\\rows.csv")).toBe("C:\\data\\rows-scored.csv");
  expect(outOf(" ")).toBe("");
});

test("an output says by its ending what it is", () => {
  for (const good of ["/a/b.csv", "b.tsv", "/a/b.parquet"]) expect(outFault(good)).toBeNull();
  for (const bad of ["", "/a/b", "/a/b.xlsx", ".csv"]) expect(outFault(bad)).not.toBeNull();
});

test("what was predicted is shown before what was known", () => {
  const columns = ["id", "x", "y", "prediction", "score"].map((name) => ({ name }));
  expect(addedFirst(columns, 4)).toEqual([3, 4, 0, 1]);
  expect(addedFirst(columns.slice(0, 2), 4)).toEqual([0, 1]);
});
