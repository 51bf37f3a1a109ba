import { expect, test } from "vitest";
import { newest } from "./start";

const project = (path: string, opened: number, exists = true) => ({
  path,
  name: path,
  opened,
  exists,
  trusted: true,
});

test("the window begins with the project opened last that is still there", () => {
  expect(newest([project("/old", 1), project("/new", 3), project("/gone", 9, false)])).toBe("/new");
  expect(newest([])).toBeNull();
});
