import { Pencil, Square, Trash2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { toast } from "sonner";
import { call, showFailure, useAction, useCommand } from "../api/client";
import type { LoggedModelRow, RunDetail } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { duration, figure, NONE } from "../shared/format";
import { JobLog } from "../shared/LogView";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty, Skeleton } from "../shared/states";
import { useProject } from "../shared/stored";
import {
  Button,
  Facts,
  IconButton,
  Id,
  Page,
  Section,
  State,
  Tabs,
  Tag,
  Time,
  To,
  useNow,
} from "../shared/ui";
import { JOB, RUN } from "../shared/words";
import { Artifacts } from "./Artifacts";
import { Charts } from "./Charts";
import { Register } from "./Register";
import { runTime } from "./runs";
import "./runs.css";

const Lineage = lazy(() => import("./RunLineage"));
const LIVE_MS = 1500;

function Pairs({ title, values, empty }: { title: string; values: [string, string][]; empty: string }) {
  return (
    <Section title={title}>
      {values.length === 0 ? (
        <p className="faint">{empty}</p>
      ) : (
        <dl className="pairs">
          {values.map(([key, value]) => (
            <div key={key}>
              <dt className="cut" title={key}>
                {key}
              </dt>
              <dd className="cut" title={value}>
                {value}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </Section>
  );
}

function Overview({
  detail,
  onRegister,
}: {
  detail: RunDetail;
  onRegister: (model: LoggedModelRow) => void;
}) {
  const now = useNow(1000);
  const { row } = detail;
  const metrics = Object.entries(row.metrics).sort(([a], [b]) => a.localeCompare(b, "en"));
  return (
    <div className="run-overview">
      <div className="stack">
        <Section title="Run">
          <Facts
            rows={[
              ["Id", <Id key="i" id={row.run_id} full />],
              ["Experiment", row.experiment],
              [
                "Started",
                <span key="s">
                  <Time at={row.start} /> by {row.user || "unknown"}
                </span>,
              ],
              ["Took", duration(runTime(row, now))],
              ["Commit", <code key="c">{row.commit ?? NONE}</code>],
              ["Artifacts", <Id key="a" id={detail.artifact_uri} full />],
            ]}
          />
        </Section>
        <Section title="Logged models">
          {detail.logged_models.length === 0 ? <p className="faint">None</p> : null}
          <ul className="rows">
            {detail.logged_models.map((model) => (
              <li key={model.uri}>
                <strong>{model.name}</strong>
                <span className="cut faint grow">{model.flavors.join(", ")}</span>
                <Button onClick={() => onRegister(model)}>Register model…</Button>
              </li>
            ))}
          </ul>
          {row.models.length > 0 ? (
            <p className="line wrap">
              {row.models.map((model) => {
                const [, name = model, version] = /^(.*) v(\d+)$/.exec(model) ?? [];
                return (
                  <To key={model} to={version ? pathTo("models", name, version) : pathTo("models", name)}>
                    {model}
                  </To>
                );
              })}
            </p>
          ) : null}
        </Section>
        <Section title="Stages">
          {detail.jobs.length === 0 ? <p className="faint">Logged from outside the pipeline</p> : null}
          <ul className="rows">
            {detail.jobs.map((job) => (
              <li key={job.id}>
                <State tone={JOB[job.status].tone}>{JOB[job.status].word}</State>
                <To to={pathTo("jobs", job.id)} className="cut grow">
                  {job.stage ?? job.title}
                </To>
                <span className="faint">{job.outcome}</span>
                <span className="quiet num">
                  {job.started === null ? "" : duration(Math.max(0, (job.ended ?? now) - job.started))}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      </div>
      <div className="stack">
        <Pairs
          title="Metrics"
          values={metrics.map(([key, value]) => [key, value === null ? "NaN" : figure(value)])}
          empty="None logged"
        />
        <Pairs title="Parameters" values={Object.entries(row.params)} empty="None logged" />
        <Pairs title="Tags" values={Object.entries(detail.tags)} empty="None" />
      </div>
    </div>
  );
}

function Log({ detail }: { detail: RunDetail }) {
  const place = usePlace();
  const jobs = detail.jobs;
  const live =
    jobs.find(({ status }) => status === "running") ??
    jobs.find(({ status }) => status === "failed") ??
    jobs.at(-1);
  const id = place.search.job ?? live?.id;
  if (!id)
    return (
      <Empty title="No log">
        This run was logged from outside the pipeline, so its output is where it ran.
      </Empty>
    );
  return (
    <div className="run-log">
      <div className="segments">
        {jobs.map((job) => (
          <button
            key={job.id}
            type="button"
            aria-pressed={job.id === id}
            onClick={() => place.set({ job: job.id })}
          >
            {job.stage ?? job.title}
          </button>
        ))}
      </div>
      <div className="grow" style={{ minHeight: 0 }}>
        <JobLog key={id} id={id} />
      </div>
    </div>
  );
}

function Rename({
  run_id,
  name,
  open,
  onClose,
}: {
  run_id: string;
  name: string;
  open: boolean;
  onClose: () => void;
}) {
  const [text, setText] = useState(name);
  const rename = useAction("runs.rename", { onDone: onClose });
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title="Rename the run"
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            busy={rename.isPending}
            disabled={text.trim() === ""}
            onClick={() => rename.mutate({ run_id, name: text.trim() })}
          >
            Rename
          </Button>
        </>
      }
    >
      <input
        className="input"
        aria-label="Name"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </Dialog>
  );
}

const TABS: [string, string][] = [
  ["overview", "Overview"],
  ["metrics", "Metrics"],
  ["artifacts", "Artifacts"],
  ["log", "Log"],
  ["lineage", "Data and lineage"],
];

export function Run({ id }: { id: string }) {
  const place = usePlace();
  const [project] = useProject();
  const [renaming, setRenaming] = useState(false);
  const [registering, setRegistering] = useState<LoggedModelRow | null>(null);
  const run = useCommand(
    "runs.get",
    { run_id: id },
    { every: (answer) => (answer?.row.status === "RUNNING" ? LIVE_MS : false) },
  );
  const stop = useAction("pipeline.stop", { done: "Stopped" });
  const remove = useAction("runs.delete", {
    onDone: () => {
      place.go("/runs");
      toast("Run deleted", {
        action: {
          label: "Undo",
          onClick: () => {
            call("runs.restore", { run_id: id }).catch((thrown: unknown) => showFailure(toReport(thrown)));
          },
        },
      });
    },
  });
  const row = run.data?.row;
  const tab = place.search.tab ?? "overview";
  return (
    <Page
      title={row?.name ?? id.slice(0, 8)}
      crumbs={[["Runs", "/runs"]]}
      note={
        row ? (
          <span className="line">
            <State tone={RUN[row.status].tone}>{RUN[row.status].word}</State>
            {row.models.map((model) => (
              <Tag key={model}>{model}</Tag>
            ))}
          </span>
        ) : null
      }
      flush
      actions={
        <>
          {row?.status === "RUNNING" ? (
            <Button
              kind="danger"
              icon={Square}
              busy={stop.isPending}
              onClick={() => stop.mutate({ run_id: id })}
            >
              Stop
            </Button>
          ) : null}
          <IconButton label="Rename" icon={Pencil} disabled={!row} onClick={() => setRenaming(true)} />
          <IconButton
            label="Delete"
            icon={Trash2}
            disabled={!row || row.status === "RUNNING"}
            onClick={() => remove.mutate({ run_id: id })}
          />
        </>
      }
    >
      <Tabs
        label="Run"
        tabs={TABS}
        current={tab}
        onChange={(next) => place.set({ tab: next === "overview" ? null : next })}
      />
      <div className="run-body">
        <Asked query={run}>
          {(detail) => (
            <>
              {tab === "overview" ? <Overview detail={detail} onRegister={setRegistering} /> : null}
              {tab === "metrics" ? <Charts run={detail.row} /> : null}
              {tab === "artifacts" ? <Artifacts detail={detail} /> : null}
              {tab === "log" ? <Log detail={detail} /> : null}
              {tab === "lineage" ? (
                <Suspense fallback={<Skeleton />}>
                  <Lineage detail={detail} />
                </Suspense>
              ) : null}
              <Rename run_id={id} name={detail.row.name} open={renaming} onClose={() => setRenaming(false)} />
            </>
          )}
        </Asked>
      </div>
      <Register
        model={registering}
        suggested={project?.split("/").pop() ?? "model"}
        onClose={() => setRegistering(null)}
      />
    </Page>
  );
}
