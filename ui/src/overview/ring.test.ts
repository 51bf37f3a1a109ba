import { expect, test } from "vitest";
import { arc, label, ringSize, spots } from "./ring";

test("the first station is at the top and the rest follow clockwise", () => {
  const [top, next] = spots(7, 600, 300);
  expect(top?.y).toBeCloseTo(-150);
  expect(next?.x).toBeGreaterThan(0);
});

test("words stand outside the track", () => {
  const places = spots(7, 600, 300).map((spot) => label(spot, 600, 300));
  expect(places.map(({ anchor }) => anchor)).toEqual([
    "middle",
    "start",
    "start",
    "start",
    "end",
    "end",
    "end",
  ]);
  expect(places[0]?.dy).toBeLessThan(0);
  expect(places[3]?.dy).toBeGreaterThan(0);
});

test("an arc leaves room for the stations at both ends", () => {
  expect(arc(0, 1, 4, 200, 200, 0)).toBe("M 0.0 -100.0 A 100 100 0 0 1 100.0 0.0");
  expect(arc(0, 1, 4, 200, 200)).not.toContain("M 0.0 -100.0");
});

test("the smallest window still has room for words on both sides", () => {
  expect(776 - ringSize(776, 500).width).toBeGreaterThanOrEqual(2 * 190);
});
