// Places the nodes of a directed graph, for pipelines and lineage.
import dagre from "@dagrejs/dagre";

export interface Placed {
  id: string;
  x: number;
  y: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  places: Map<string, Placed>;
  /** `from to` → the points that the edge passes. */
  routes: Map<string, Point[]>;
}

export function layered(
  nodes: readonly { id: string; width: number; height: number }[],
  edges: readonly { from: string; to: string }[],
  direction: "LR" | "TB" = "LR",
): Layout {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({
    rankdir: direction,
    nodesep: 28,
    edgesep: 36,
    ranksep: direction === "LR" ? 64 : 44,
    marginx: 16,
    marginy: 16,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(nodes.map(({ id }) => id));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { from, to } of edges) if (known.has(from) && known.has(to)) graph.setEdge(from, to);
  dagre.layout(graph);
  const routes = new Map<string, Point[]>();
  for (const { v, w } of graph.edges()) routes.set(`${v} ${w}`, graph.edge(v, w)?.points ?? []);
  const places = new Map(
    nodes.map(({ id, width, height }) => {
      const { x = 0, y = 0 } = graph.node(id) ?? {};
      return [id, { id, x: x - width / 2, y: y - height / 2 }];
    }),
  );
  return { places, routes };
}

/** A smooth line through the points of a route, so that it bends around the nodes between its ends. */
export function curve(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  const middle = (a: Point, b: Point) => `${((a.x + b.x) / 2).toFixed(1)} ${((a.y + b.y) / 2).toFixed(1)}`;
  const bends = rest.slice(0, -1).map((point, index) => {
    const next = rest[index + 1] ?? point;
    const isLast = index === rest.length - 2;
    return `Q ${point.x.toFixed(1)} ${point.y.toFixed(1)} ${isLast ? `${next.x.toFixed(1)} ${next.y.toFixed(1)}` : middle(point, next)}`;
  });
  const end = rest.at(-1);
  return `M ${first.x.toFixed(1)} ${first.y.toFixed(1)} ${bends.length > 0 || !end ? bends.join(" ") : `L ${end.x.toFixed(1)} ${end.y.toFixed(1)}`}`;
}
