import { expect, test } from "vitest";
import { ofNumbers, type Scale, scaleOf } from "./scale";

test("a few numbers are named one by one", () => {
  const scale = scaleOf(["15", "31", "127", "31"]);
  expect(scale.ticks.map(({ text }) => text)).toEqual(["15", "31", "127"]);
  expect(scale.at("15")).toBeLessThan(scale.at("31") ?? 0);
  expect(scale.at("auto")).toBeNull();
});

test("powers of ten are as far from each other as the next", () => {
  const scale = scaleOf(["0.001", "0.01", "0.1"]);
  const [low = 0, middle = 0, high = 0] = ["0.001", "0.01", "0.1"].map((text) => scale.at(text) ?? 0);
  expect(middle - low).toBeCloseTo(high - middle);
  expect(scale.at("0")).toBeNull();
});

test("what was drawn by powers of ten stands so, however close it came", () => {
  const middle = (scale: Scale) => scale.at("2") ?? 0;
  expect(middle(scaleOf(["1", "2", "4"], "powers"))).toBeCloseTo(0.5);
  expect(middle(scaleOf(["1", "2", "4"]))).toBeLessThan(0.4);
});

test("numbers around zero are spread evenly", () => {
  const scale = scaleOf(["-1", "0", "100"]);
  expect(scale.at("-1")).toBeCloseTo(0.05);
  expect(scale.at("100")).toBeCloseTo(0.95);
});

test("one value stands in the middle", () => {
  expect(ofNumbers([7]).at("7")).toBe(0.5);
});

test("many values have three ticks, and many words some of them", () => {
  const numbers = scaleOf(Array.from({ length: 50 }, (_, index) => String(index)));
  expect(numbers.ticks.map(({ text }) => text)).toEqual(["0", "24.5", "49"]);
  const words = scaleOf(Array.from({ length: 20 }, (_, index) => `kind-${index}`));
  expect(words.ticks.length).toBeLessThanOrEqual(8);
  expect(words.at("kind-7")).not.toBeNull();
});
