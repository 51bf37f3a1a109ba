import { expect, test } from "vitest";
import type { Lineage } from "../../api/generated";
import { directionOf, edgesWithin, placed, related } from "./layout";

const node = (id: string) => ({ id, kind: "run" as const, title: id, detail: "", at: null, route: null });
const graph: Lineage = {
  focus: "run",
  nodes: ["data", "run", "model", "other"].map(node),
  edges: [
    { from: "data", to: "run" },
    { from: "run", to: "model" },
    { from: "data", to: "other" },
    { from: "run", to: "gone" },
  ],
};

test("what made a thing stands left of it", () => {
  const at = new Map(placed(graph, "LR").map((place) => [place.id, place]));
  expect(at.get("data")?.x).toBeLessThan(at.get("run")?.x ?? 0);
  expect(at.get("run")?.x).toBeLessThan(at.get("model")?.x ?? 0);
});

test("an edge to a node that is not there is left out", () => {
  expect(edgesWithin(graph)).toHaveLength(3);
});

test("siblings are not related", () => {
  expect([...related(graph, "run")].sort()).toEqual(["data", "model", "run"]);
});

test("a long way goes down instead of to the right", () => {
  expect(directionOf(graph)).toBe("LR");
  const ids = ["a", "b", "c", "d", "e", "f"];
  const edges = ids.slice(1).map((to, index) => ({ from: ids[index] ?? "", to }));
  expect(directionOf({ focus: "a", nodes: ids.map(node), edges })).toBe("TB");
});
