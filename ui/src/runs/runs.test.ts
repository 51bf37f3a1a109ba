import { expect, test } from "vitest";
import {
  childrenInput,
  differingFirst,
  listInput,
  orderBy,
  parseSorting,
  printSorting,
  shownKeys,
} from "./runs";

test("a column is ordered by the tracking server, whatever its key holds", () => {
  expect(orderBy({ key: "metric:val:auc", descending: true })).toEqual(["metrics.`val:auc` DESC"]);
  expect(orderBy({ key: "param:rate", descending: false })).toEqual(["params.`rate` ASC"]);
  expect(orderBy({ key: "start", descending: true })).toEqual(["attributes.start_time DESC"]);
  expect(orderBy(null)).toEqual([]);
});

test("the order survives the address bar", () => {
  for (const text of ["-metric:auc", "param:rate"]) expect(printSorting(parseSorting(text))).toBe(text);
  expect(parseSorting(undefined)).toBeNull();
});

test("a first look shows a few columns, a choice shows the chosen ones", () => {
  const known = { metrics: ["a", "b", "c", "d", "e"], params: ["p", "q"] };
  expect(shownKeys(null, known).metrics).toEqual(["a", "b", "c", "d"]);
  expect(shownKeys(null, known, { metrics: ["e", "gone"], params: ["q"] })).toEqual({
    metrics: ["e", "a"],
    params: ["q", "p"],
  });
  expect(shownKeys("metric:e\nparam:q\nmetric:gone", known)).toEqual({ metrics: ["e"], params: ["q"] });
});

test("what differs is compared first", () => {
  const line = (key: string, differs: boolean) => ({ key, differs, values: [] });
  expect(differingFirst([line("same", false), line("other", true)]).map(({ key }) => key)).toEqual([
    "other",
    "same",
  ]);
});

test("trials are on their sweep's page, unless somebody looks for them here", () => {
  const wanted = { project: "/p", filter: " metrics.auc > 0.7 ", sorting: null, deleted: false } as const;
  expect(listInput({ ...wanted, trials: "hidden" }).filter).toBe(
    "tags.`mlflow.parentRunId` IS NULL and metrics.auc > 0.7",
  );
  expect(listInput({ ...wanted, trials: "shown" }).filter).toBe("metrics.auc > 0.7");
  expect(listInput({ ...wanted, filter: " ", trials: "shown" }).filter).toBeNull();
  expect(childrenInput("ab12")).toMatchObject({
    project: null,
    filter: "tags.`mlflow.parentRunId` = 'ab12'",
  });
});
