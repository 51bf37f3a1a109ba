// Where a thing came from and what came of it, as a graph both ways.
import {
  Background,
  Controls,
  type Edge,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import {
  Box,
  Database,
  FileCode,
  GitCommitHorizontal,
  Layers,
  type LucideIcon,
  Play,
  Rocket,
  Sparkle,
  Workflow,
} from "lucide-react";
import { useMemo, useState } from "react";
import { useCommand } from "../../api/client";
import type { Lineage, LineageKind, LineageNode } from "../../api/generated";
import { exactly } from "../format";
import { useGo } from "../place";
import { Asked, Empty } from "../states";
import { useProject } from "../stored";
import {
  type Direction,
  directionOf,
  edgesWithin,
  KIND,
  NODE_HEIGHT,
  NODE_WIDTH,
  placed,
  related,
} from "./layout";
import "./lineage.css";

const ICON: Record<LineageKind, LucideIcon> = {
  commit: GitCommitHorizontal,
  file: FileCode,
  dataset: Database,
  stage: Workflow,
  run: Play,
  model_version: Box,
  revision: Layers,
  deployment: Rocket,
  prediction: Sparkle,
};

type Shown = Node<{ node: LineageNode; focus: boolean; faded: boolean; direction: Direction }, "thing">;

function Thing({ data: { node, focus, faded, direction } }: NodeProps<Shown>) {
  const Icon = ICON[node.kind];
  return (
    <div
      className="lineage-node"
      data-focus={focus || undefined}
      data-faded={faded || undefined}
      data-open={node.route ? true : undefined}
      title={[node.title, node.detail, exactly(node.at)].filter(Boolean).join("\n")}
    >
      <Handle
        type="target"
        position={direction === "LR" ? Position.Left : Position.Top}
        isConnectable={false}
      />
      <Icon size={15} strokeWidth={1.7} aria-hidden />
      <div className="lineage-text">
        <strong className="cut">{node.title}</strong>
        <span className="cut faint">
          {KIND[node.kind]}
          {node.detail ? ` · ${node.detail}` : ""}
        </span>
      </div>
      <Handle
        type="source"
        position={direction === "LR" ? Position.Right : Position.Bottom}
        isConnectable={false}
      />
    </div>
  );
}

const TYPES = { thing: Thing };

function Graph({ lineage }: { lineage: Lineage }) {
  const go = useGo();
  const [over, setOver] = useState<string | null>(null);
  const direction = useMemo(() => directionOf(lineage), [lineage]);
  const places = useMemo(
    () => new Map(placed(lineage, direction).map((place) => [place.id, place])),
    [lineage, direction],
  );
  const lit = useMemo(() => (over ? related(lineage, over) : null), [lineage, over]);
  const nodes = lineage.nodes.map(
    (node): Shown => ({
      id: node.id,
      type: "thing",
      position: { x: places.get(node.id)?.x ?? 0, y: places.get(node.id)?.y ?? 0 },
      width: NODE_WIDTH,
      height: NODE_HEIGHT,
      data: {
        node,
        focus: node.id === lineage.focus,
        faded: lit !== null && !lit.has(node.id),
        direction,
      },
      ariaLabel: `${KIND[node.kind]} ${node.title}`,
    }),
  );
  const edges = edgesWithin(lineage).map(
    ({ from, to }): Edge => ({
      id: `${from}→${to}`,
      source: from,
      target: to,
      className: lit && !(lit.has(from) && lit.has(to)) ? "lineage-edge faded" : "lineage-edge",
      markerEnd: { type: MarkerType.ArrowClosed, color: "var(--line-2)", width: 16, height: 16 },
    }),
  );
  return (
    <div className="lineage">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={TYPES}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.12 }}
        minZoom={0.2}
        maxZoom={1.6}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        onNodeMouseEnter={(_, node) => setOver(node.id)}
        onNodeMouseLeave={() => setOver(null)}
        onNodeClick={(_, node) => {
          if (node.data.node.route) go(node.data.node.route);
        }}
      >
        <Background color="var(--grid)" gap={24} />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

/** `id` is anything that `lineage.trace` takes: a prediction, a run, `NAME/VERSION`, a deployment, a dataset. */
export function LineageGraph({ id, project: given }: { id: string; project?: string | null }) {
  const [open] = useProject();
  const query = useCommand("lineage.trace", { id, project: given ?? open });
  return (
    <Asked query={query}>
      {(lineage) =>
        lineage.nodes.length === 0 ? (
          <Empty title="Nothing is known of its past" cli={`lapwing trace ${id}`}>
            Lineage begins with a run: what Lapwing runs, it can trace.
          </Empty>
        ) : (
          <Graph lineage={lineage} />
        )
      }
    </Asked>
  );
}
