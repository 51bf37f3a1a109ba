import { expect, test } from "vitest";
import { ago, bytes, count, duration, figure, percent, plural, shortPath } from "./format";

test("sizes are rounded for people", () => {
  expect([
    bytes(0),
    bytes(999),
    bytes(1_283_000_000),
    bytes(61_400_000),
    bytes(812_400),
    bytes(null),
  ]).toEqual(["0 B", "999 B", "1.3 GB", "61.4 MB", "812 kB", "–"]);
});

test("figures keep about four digits, and NaN is not a number", () => {
  expect([figure(0.6512345), figure(14.2), figure(161_204), figure(1e-7), figure(null), figure(0)]).toEqual([
    "0.6512",
    "14.2",
    "161,204",
    "1.00e-7",
    "–",
    "0",
  ]);
  expect(count(1234567)).toBe("1,234,567");
  expect([percent(0), percent(0.027), percent(0.5)]).toEqual(["0%", "2.7%", "50%"]);
});

test("times are said the way people say them", () => {
  expect([ago(0, 3 * 60_000), ago(0, 26 * 3_600_000), ago(60_000, 0), ago(null, 0)]).toEqual([
    "3 min ago",
    "1 d ago",
    "in 1 min",
    "–",
  ]);
  expect([duration(412), duration(6100), duration(131_000)]).toEqual(["412 ms", "6.1 s", "2 min 11 s"]);
});

test("the home folder is a tilde, and its neighbours are not", () => {
  expect(shortPath("/home/ada/work", "/home/ada")).toBe("~/work");
  expect(shortPath("/home/adam/work", "/home/ada")).toBe("/home/adam/work");
  expect(plural(1, "stage") + plural(2, "stage")).toBe("1 stage2 stages");
});
