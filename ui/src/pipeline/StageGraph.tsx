import {
  Background,
  BaseEdge,
  Controls,
  type Edge,
  type EdgeProps,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
} from "@xyflow/react";
import { useMemo } from "react";
import type { PipelineView, StageRow } from "../api/generated";
import { duration } from "../shared/format";
import { curve, layered } from "../shared/graph";
import { State } from "../shared/ui";
import { STAGE } from "../shared/words";
import "@xyflow/react/dist/style.css";
import "./pipeline.css";

type StageNode = Node<{ stage: StageRow; chosen: boolean }, "stage">;

const WIDTH = 216;
const HEIGHT = 84;

function StageBox({ data: { stage, chosen } }: NodeProps<StageNode>) {
  const { tone, word } = STAGE[stage.state];
  return (
    <div
      className={`stage stage-${tone}`}
      data-chosen={chosen || undefined}
      title={stage.waits ?? stage.description ?? stage.command}
    >
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <div className="line">
        <strong className="cut grow">{stage.name}</strong>
        {stage.duration_ms !== null ? <span className="faint">{duration(stage.duration_ms)}</span> : null}
      </div>
      <div className="line">
        <State tone={tone}>{word}</State>
        {stage.on ? <span className="faint cut">on {stage.on}</span> : null}
      </div>
      {stage.waits ? (
        <div className="cut stage-why state-stale">{stage.waits}</div>
      ) : (
        <div className="cut stage-why quiet">{stage.reasons[0] ?? stage.description ?? stage.command}</div>
      )}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}

type RoutedEdge = Edge<{ path: string }, "routed">;

function Route({ id, data, markerEnd }: EdgeProps<RoutedEdge>) {
  return <BaseEdge id={id} path={data?.path ?? ""} {...(markerEnd ? { markerEnd } : {})} />;
}

const TYPES = { stage: StageBox };
const EDGE_TYPES = { routed: Route };

export function StageGraph({
  view,
  chosen,
  onChoose,
}: {
  view: PipelineView;
  chosen: string | null;
  onChoose: (name: string | null) => void;
}) {
  const shape = JSON.stringify([view.stages.map(({ name }) => name), view.edges]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: states change often, the layout only with the shape
  const { places, routes } = useMemo(
    () =>
      layered(
        view.stages.map(({ name }) => ({ id: name, width: WIDTH, height: HEIGHT })),
        view.edges,
        "TB",
      ),
    [shape],
  );
  const nodes: StageNode[] = view.stages.map((stage) => {
    const { x, y } = places.get(stage.name) ?? { x: 0, y: 0 };
    return {
      id: stage.name,
      type: "stage",
      position: { x, y },
      data: { stage, chosen: stage.name === chosen },
      width: WIDTH,
      height: HEIGHT,
    };
  });
  const running = new Set(view.stages.filter(({ state }) => state === "running").map(({ name }) => name));
  const edges: RoutedEdge[] = view.edges.map(({ from, to }) => ({
    id: `${from} ${to}`,
    type: "routed",
    data: { path: curve(routes.get(`${from} ${to}`) ?? []) },
    source: from,
    target: to,
    markerEnd: { type: MarkerType.ArrowClosed, color: "var(--line-2)" },
    className: running.has(to) ? "edge-live" : "",
  }));
  return (
    <ReactFlow
      key={shape}
      nodes={nodes}
      edges={edges}
      nodeTypes={TYPES}
      edgeTypes={EDGE_TYPES}
      onNodeClick={(_, node) => onChoose(node.id)}
      onPaneClick={() => onChoose(null)}
      onSelectionChange={({ nodes: [first] }) => {
        if (first && first.id !== chosen) onChoose(first.id);
      }}
      fitView
      fitViewOptions={{ padding: 0.15, maxZoom: 1 }}
      minZoom={0.2}
      maxZoom={1.5}
      nodesDraggable={false}
      nodesConnectable={false}
      aria-label="Stages"
    >
      <Background gap={20} size={1} color="var(--line)" />
      <Controls showInteractive={false} />
    </ReactFlow>
  );
}
