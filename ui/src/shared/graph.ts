// Places the nodes of a directed graph, for pipelines and lineage.
import dagre from "@dagrejs/dagre";

export interface Placed {
  id: string;
  x: number;
  y: number;
}

export function layered(
  nodes: readonly { id: string; width: number; height: number }[],
  edges: readonly { from: string; to: string }[],
  direction: "LR" | "TB" = "LR",
): Map<string, Placed> {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({
    rankdir: direction,
    nodesep: 28,
    ranksep: direction === "LR" ? 64 : 44,
    marginx: 16,
    marginy: 16,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(nodes.map(({ id }) => id));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { from, to } of edges) if (known.has(from) && known.has(to)) graph.setEdge(from, to);
  dagre.layout(graph);
  return new Map(
    nodes.map(({ id, width, height }) => {
      const { x = 0, y = 0 } = graph.node(id) ?? {};
      return [id, { id, x: x - width / 2, y: y - height / 2 }];
    }),
  );
}
