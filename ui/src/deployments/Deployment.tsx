import { FileOutput, Pause, Play, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { DeploymentDetail } from "../api/generated";
import { LineageGraph } from "../shared/lineage/Lineage";
import { usePlace } from "../shared/place";
import { Asked } from "../shared/states";
import { useProject } from "../shared/stored";
import { Transfers } from "../shared/Transfers";
import { Button, IconButton, Page, State, Tabs } from "../shared/ui";
import { Export } from "./Export";
import { Log } from "./Log";
import { Overview } from "./Overview";
import { Predictions } from "./Predictions";
import { Remove } from "./Remove";
import { Revisions } from "./Revisions";
import { Snippets } from "./Snippets";
import { TryIt } from "./TryIt";
import { STATE } from "./words";
import "../shared/detail.css";
import "./deployments.css";

const TABS: [string, string][] = [
  ["overview", "Overview"],
  ["try", "Try it"],
  ["snippets", "Snippets"],
  ["revisions", "Revisions"],
  ["predictions", "Predictions"],
  ["log", "Log"],
  ["lineage", "Lineage"],
];

export function Deployment({ name }: { name: string }) {
  const place = usePlace();
  const [project] = useProject();
  const detail = useCommand("deployments.get", { name }, { every: 5000 });
  const [removing, setRemoving] = useState(false);
  const [exporting, setExporting] = useState(false);
  const start = useAction("deployments.start", { done: `${name} is running` });
  const stop = useAction("deployments.stop", { done: `Stopped ${name}` });
  const tab = place.search.tab ?? "overview";
  const row = detail.data?.row;
  const up = row?.state === "running" || row?.state === "starting";
  return (
    <Page
      title={name}
      crumbs={[["Deployments", "/deployments"]]}
      note={row ? <State tone={STATE[row.state].tone}>{STATE[row.state].word}</State> : null}
      flush
      actions={
        row ? (
          <>
            <IconButton label="Export…" icon={FileOutput} onClick={() => setExporting(true)} />
            <IconButton label={`Remove ${name}`} icon={Trash2} onClick={() => setRemoving(true)} />
            {up ? (
              <Button icon={Pause} busy={stop.isPending} onClick={() => stop.mutate({ name })}>
                Stop
              </Button>
            ) : (
              <Button
                kind="primary"
                icon={Play}
                busy={start.isPending}
                onClick={() => start.mutate({ name })}
              >
                Start
              </Button>
            )}
          </>
        ) : null
      }
    >
      <Transfers project={project} only={["image"]} />
      <Tabs
        label="Deployment"
        tabs={TABS}
        current={tab}
        onChange={(next) => place.set({ tab: next === "overview" ? null : next, of: null })}
      />
      <div className="grow" style={{ minHeight: 0 }}>
        <Asked query={detail}>{(answer) => inside(tab, answer, place.search.of ?? name)}</Asked>
      </div>
      <Remove name={name} open={removing} onOpenChange={setRemoving} />
      <Export name={name} revision={row?.revision ?? null} open={exporting} onOpenChange={setExporting} />
    </Page>
  );
}

/** `traced` is what the lineage tab is about: the deployment, or one of its predictions. */
function inside(tab: string, detail: DeploymentDetail, traced: string): ReactNode {
  const { name, project } = detail.row;
  switch (tab) {
    case "try":
      return <TryIt key={detail.row.revision} detail={detail} />;
    case "snippets":
      return <Snippets detail={detail} />;
    case "revisions":
      return <Revisions detail={detail} />;
    case "predictions":
      return <Predictions name={name} />;
    case "log":
      return <Log name={name} />;
    case "lineage":
      return <LineageGraph id={traced} project={project} />;
    default:
      return <Overview detail={detail} />;
  }
}
