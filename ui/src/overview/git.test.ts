import { expect, test } from "vitest";
import { standing } from "./git";

const at = (ahead: number, behind: number, upstream: string | null = "origin/main") =>
  standing({ branch: "main", remote: "origin", upstream, ahead, behind });

test("a branch says how far it is from its remote", () => {
  expect(at(0, 0)).toBe("in step with origin/main");
  expect(at(2, 0)).toBe("2 ahead of origin/main");
  expect(at(0, 1)).toBe("1 behind origin/main");
  expect(at(2, 1)).toBe("2 ahead of, 1 behind origin/main");
  expect(at(3, 0, null)).toBe("not on origin yet");
});
