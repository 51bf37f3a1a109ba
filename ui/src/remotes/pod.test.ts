import { expect, test } from "vitest";
import { podOptions } from "./PodFields";

test("only what was written becomes an option", () => {
  expect(podOptions({ namespace: " ml ", image: "" })).toEqual({ namespace: "ml" });
});
