import { expect, test } from "vitest";
import { columnsFor, fault, prefilled, read, recordOf } from "./form";
import { registeredName } from "./words";

const column = (name: string, kind: string, required = true) => ({ name, kind, required });
const columns = [column("carrier", "string"), column("hour", "long"), column("wind", "double", false)];

test("the example comes back as it was", () => {
  const example = { carrier: "UA", hour: 17, wind: 12.7 };
  expect(recordOf(columns, prefilled(columns, example))).toEqual(example);
  expect(recordOf(columns, prefilled(columns, [example]))).toEqual(example);
});

test("an empty optional number is sent as nothing, an empty required one is a fault", () => {
  const texts = { carrier: "UA", hour: "", wind: "" };
  expect(recordOf(columns, texts).wind).toBeNull();
  expect(fault(column("wind", "double", false), "")).toBeNull();
  expect(fault(column("hour", "long"), "")).not.toBeNull();
});

test("a kind refuses what is not of it", () => {
  expect(fault(column("hour", "long"), "1.5")).not.toBeNull();
  expect(fault(column("hour", "long"), "-3")).toBeNull();
  expect(fault(column("wind", "double"), "12e")).not.toBeNull();
  expect(fault(column("tags", "Array(string)"), '["a"]')).toBeNull();
});

test("a model without a signature takes the columns of its example", () => {
  expect(columnsFor([], { a: 1, b: "x" }).map(({ kind }) => kind)).toEqual(["double", "string"]);
});

test("answers of either server are read", () => {
  expect(read({ predictions: [1], scores: [0.73], prediction_ids: ["p1"] })).toEqual({
    prediction: "1",
    score: 0.73,
    id: "p1",
    error: null,
  });
  expect(read({ predictions: [[0.2]] }).prediction).toBe("[0.2]");
  expect(read({ error_code: "BAD_REQUEST", message: "carrier is missing" }).error).toBe("carrier is missing");
});

test("what is served leads to its page in the registry", () => {
  expect(registeredName("delays@champion")).toBe("delays");
  expect(registeredName("models:/delays/3")).toBe("delays");
  expect(registeredName("delays/3")).toBe("delays");
  expect(registeredName("runs:/0f3c/model")).toBeNull();
  expect(registeredName("/tmp/model")).toBeNull();
});
