import { FileSpreadsheet, Rocket, Tag as TagIcon, Upload, X } from "lucide-react";
import { useState } from "react";
import { useCommand } from "../api/client";
import type { VersionDetail } from "../api/generated";
import { bytes, figure } from "../shared/format";
import { LineageGraph } from "../shared/lineage/Lineage";
import { pathTo, usePlace } from "../shared/place";
import { Asked } from "../shared/states";
import { useProject } from "../shared/stored";
import { Transfers } from "../shared/Transfers";
import { Button, CopyButton, Facts, Id, Page, Section, State, Tabs, Tag, Time, To } from "../shared/ui";
import { Columns } from "./Columns";
import { DeployDialog } from "./Deploy";
import { safetyTone } from "./metrics";
import { PushDialog } from "./Push";
import { MOVING } from "./registries";
import { ScoreDialog } from "./Score";
import { RemoveAlias, SetAlias } from "./SetAlias";
import "../shared/detail.css";
import "./models.css";

const TABS: [string, string][] = [
  ["about", "About"],
  ["signature", "Signature"],
  ["environment", "Environment and safety"],
  ["lineage", "Lineage"],
];

export function Version({ name, version }: { name: string; version: number }) {
  const place = usePlace();
  const [project] = useProject();
  const model = useCommand("models.get", { name });
  const detail = useCommand("models.version", { name, version });
  const [naming, setNaming] = useState(false);
  const [deploying, setDeploying] = useState(false);
  const [pushing, setPushing] = useState(false);
  const [scoring, setScoring] = useState(false);
  const [removing, setRemoving] = useState<string | null>(null);
  const tab = place.search.tab ?? "about";
  return (
    <Page
      title={`v${version}`}
      crumbs={[
        ["Models", "/models"],
        [name, pathTo("models", name)],
      ]}
      note={
        <span className="line">
          {detail.data?.row.aliases.map((alias) => (
            <span key={alias} className="alias">
              <Tag tone={alias === "champion" ? "good" : undefined}>{alias}</Tag>
              <button
                type="button"
                className="icon-button small"
                aria-label={`Remove alias ${alias}`}
                title={`Remove alias ${alias}`}
                onClick={() => setRemoving(alias)}
              >
                <X size={12} aria-hidden />
              </button>
            </span>
          ))}
        </span>
      }
      flush
      actions={
        <>
          <Button kind="ghost" icon={TagIcon} disabled={!model.data} onClick={() => setNaming(true)}>
            Set alias
          </Button>
          <Button kind="ghost" icon={Upload} disabled={!detail.data} onClick={() => setPushing(true)}>
            Push
          </Button>
          <Button
            kind="ghost"
            icon={FileSpreadsheet}
            disabled={!detail.data || detail.data.flavors.length === 0}
            onClick={() => setScoring(true)}
          >
            Score a file…
          </Button>
          <Button
            kind="primary"
            icon={Rocket}
            // Without a flavor it is no MLflow model: nothing knows how to load it.
            disabled={!detail.data || detail.data.flavors.length === 0}
            onClick={() => setDeploying(true)}
          >
            Deploy
          </Button>
        </>
      }
    >
      <Transfers project={project} only={MOVING} />
      <Tabs
        label="Version"
        tabs={TABS}
        current={tab}
        onChange={(next) => place.set({ tab: next === "about" ? null : next })}
      />
      <div className="grow" style={{ minHeight: 0 }}>
        {tab === "lineage" ? (
          <LineageGraph id={`${name}/${version}`} />
        ) : (
          <div className="sheet">
            <Asked query={detail}>
              {(answer) =>
                tab === "signature" ? (
                  <SignatureTab detail={answer} />
                ) : tab === "environment" ? (
                  <Environment detail={answer} />
                ) : (
                  <About name={name} detail={answer} />
                )
              }
            </Asked>
          </div>
        )}
      </div>
      {model.data ? (
        <SetAlias model={model.data} version={version} open={naming} onOpenChange={setNaming} />
      ) : null}
      <RemoveAlias name={name} alias={removing} version={version} onClose={() => setRemoving(null)} />
      <PushDialog name={name} version={version} open={pushing} onOpenChange={setPushing} />
      <ScoreDialog name={name} version={version} open={scoring} onOpenChange={setScoring} />
      <DeployDialog
        model={`models:/${name}/${version}`}
        name={name}
        open={deploying}
        onOpenChange={setDeploying}
      />
    </Page>
  );
}

function About({ name, detail: { row, flavors } }: { name: string; detail: VersionDetail }) {
  const metrics = Object.entries(row.metrics).sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    <div className="two-columns">
      <Section title="Version">
        <Facts
          rows={[
            ["Description", row.description || <span className="faint">None</span>],
            [
              "Run",
              row.run_id ? (
                <span className="line" key="run">
                  <To to={pathTo("runs", row.run_id)}>{row.run_name ?? "run"}</To>
                  <Id id={row.run_id} />
                </span>
              ) : (
                "–"
              ),
            ],
            ["Commit", row.commit ? <Id key="commit" id={row.commit} /> : "–"],
            ["Source", <Id key="source" id={row.source} full />],
            [
              "Address",
              <span className="id" key="uri">
                <code>{`models:/${name}/${row.version}`}</code>
                <CopyButton text={`models:/${name}/${row.version}`} label="Copy the address" />
              </span>,
            ],
            [
              "Served by",
              row.deployments.length > 0 ? (
                <span className="line wrap" key="served">
                  {row.deployments.map((deployment) => (
                    <To key={deployment} to={pathTo("deployments", deployment)}>
                      {deployment}
                    </To>
                  ))}
                </span>
              ) : (
                <span key="none" className="faint">
                  No deployment
                </span>
              ),
            ],
            ["Flavors", flavors.join(", ") || "–"],
            ["Size", bytes(row.size)],
            ["Created", <Time key="created" at={row.created} />],
          ]}
        />
      </Section>
      <div className="stack">
        <Section title="Metrics of its run">
          {metrics.length === 0 ? (
            <p className="quiet">Its run logged none.</p>
          ) : (
            <Facts
              rows={metrics.map(([key, value]) => [
                key,
                <span key={key} title={value === null ? "not a number" : String(value)}>
                  {figure(value)}
                </span>,
              ])}
            />
          )}
        </Section>
        {Object.keys(row.tags).length > 0 ? (
          <Section title="Tags">
            <Facts rows={Object.entries(row.tags)} />
          </Section>
        ) : null}
      </div>
    </div>
  );
}

function SignatureTab({ detail: { signature } }: { detail: VersionDetail }) {
  return (
    <div className="two-columns">
      <Section title="Takes">
        <Columns label="Inputs" columns={signature.inputs} />
      </Section>
      <Section title="Answers">
        <Columns label="Outputs" columns={signature.outputs} />
      </Section>
    </div>
  );
}

function Environment({ detail }: { detail: VersionDetail }) {
  const text = detail.requirements.join("\n");
  return (
    <div className="two-columns">
      <Section
        title="Requirements"
        aside={text ? <CopyButton text={text} label="Copy requirements" /> : null}
      >
        {text ? <pre className="code">{text}</pre> : <p className="quiet">The model names none.</p>}
      </Section>
      <Section title="Safety">
        <p>
          <State tone={safetyTone(detail.safety)}>{SAFETY[detail.safety] ?? detail.safety}</State>
        </p>
        <ul className="reasons">
          {detail.safety_detail.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
        <p className="faint">
          Pickled parts run code when they are loaded; they are read here without being loaded.
        </p>
      </Section>
    </div>
  );
}

const SAFETY: Record<string, string> = {
  safe: "Safe: nothing in it runs code of its own",
  unknown: "Unknown: it names classes that nobody has judged",
  unsafe: "Unsafe: loading it would run commands",
};
