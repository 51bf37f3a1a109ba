// Where the nodes of a graph stand, in the direction of time: to the right, or down where the way is long.
import { Graph, layout } from "@dagrejs/dagre";
import type { Lineage, LineageKind } from "../../api/generated";

export const NODE_WIDTH = 208;
export const NODE_HEIGHT = 52;
/** More steps than this do not fit beside each other at a readable size. */
const MOST_BESIDE = 4;

export type Direction = "LR" | "TB";

export interface Placed {
  id: string;
  x: number;
  y: number;
}

/** Top-left corners; edges to nodes that are not in the answer are left out. */
export function placed(lineage: Lineage, direction: Direction): Placed[] {
  const graph = new Graph();
  graph.setGraph({ rankdir: direction, nodesep: 20, ranksep: 44, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of lineage.nodes) graph.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const { from, to } of edgesWithin(lineage)) graph.setEdge(from, to);
  layout(graph);
  return lineage.nodes.map(({ id }) => {
    const { x = 0, y = 0 } = graph.node(id);
    return { id, x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 };
  });
}

export function directionOf(lineage: Lineage): Direction {
  const edges = edgesWithin(lineage);
  let front = new Set(lineage.nodes.map(({ id }) => id));
  for (let step = 1; step <= MOST_BESIDE; step += 1) {
    front = new Set(edges.filter(({ from }) => front.has(from)).map(({ to }) => to));
    if (front.size === 0) return "LR";
  }
  return "TB";
}

export function edgesWithin({ nodes, edges }: Lineage): Lineage["edges"] {
  const known = new Set(nodes.map(({ id }) => id));
  return edges.filter(({ from, to }) => known.has(from) && known.has(to) && from !== to);
}

/** The focus with everything that it came from and everything that came from it. */
export function related(lineage: Lineage, id: string): Set<string> {
  const edges = edgesWithin(lineage);
  const found = new Set([id]);
  for (const [here, there] of [
    ["to", "from"],
    ["from", "to"],
  ] as const) {
    let front = [id];
    const seen = new Set(front);
    while (front.length > 0) {
      front = edges
        .filter((edge) => front.includes(edge[here]) && !seen.has(edge[there]))
        .map((edge) => edge[there]);
      for (const next of front) seen.add(next);
    }
    for (const one of seen) found.add(one);
  }
  return found;
}

export const KIND: Record<LineageKind, string> = {
  commit: "Commit",
  file: "File",
  dataset: "Data",
  stage: "Stage",
  run: "Run",
  model_version: "Model",
  revision: "Revision",
  deployment: "Deployment",
  prediction: "Prediction",
};
