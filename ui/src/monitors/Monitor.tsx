import { FilePlus } from "lucide-react";
import { useAction, useCommand } from "../api/client";
import type { MonitorView } from "../api/generated";
import { host } from "../host";
import { count, plural, when } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Asked } from "../shared/states";
import { Button, Page, State, Tabs, To, useNow } from "../shared/ui";
import { Alerts } from "./Alerts";
import { Drift } from "./Drift";
import { History } from "./History";
import { Performance } from "./Performance";
import { Quality } from "./Quality";
import { STATE, since, WINDOWS } from "./words";
import "../shared/detail.css";
import "./monitors.css";

export function Monitor({ name }: { name: string }) {
  const place = usePlace();
  const window = place.search.window ?? "default";
  const from = since(window, useNow(60_000));
  const view = useCommand("monitors.get", { name, since: from, until: null }, { every: 15_000, keep: true });
  const labels = useAction("monitors.labels", {
    done: (added) =>
      `Added ${plural(added.labels, "label")}: ${count(added.joined)} met a prediction${
        added.unmatched > 0 ? `, ${plural(added.unmatched, "id")} are not in the log` : ""
      }`,
  });
  const pick = async () => {
    const file = await host().pickFile("Labels with prediction_id and label, as CSV or Parquet");
    if (file) labels.mutate({ name, file });
  };
  const row = view.data?.row;
  return (
    <Page
      title={name}
      crumbs={[["Monitor", "/monitors"]]}
      note={row ? <State tone={STATE[row.state].tone}>{STATE[row.state].word}</State> : null}
      flush
      actions={
        <>
          <div className="segments" role="group" aria-label="Predictions looked at">
            {WINDOWS.map(([value, text]) => (
              <button
                key={value}
                type="button"
                aria-pressed={value === window}
                title={
                  value === "default"
                    ? "The newest predictions, as many as the monitor’s settings say"
                    : undefined
                }
                onClick={() => place.set({ window: value === "default" ? null : value })}
              >
                {text}
              </button>
            ))}
          </div>
          <Button icon={FilePlus} busy={labels.isPending} onClick={() => void pick()}>
            Add labels…
          </Button>
        </>
      }
    >
      <Asked query={view}>{(answer) => <Inside view={answer} />}</Asked>
    </Page>
  );
}

function Inside({ view }: { view: MonitorView }) {
  const place = usePlace();
  const tab = place.search.tab ?? "drift";
  const { row } = view;
  return (
    <>
      <div className="monitor-head stack">
        <Sentence view={view} />
        {view.alerts.length > 0 ? <Alerts alerts={view.alerts} /> : null}
      </div>
      <Tabs
        label="Monitor"
        tabs={[
          ["drift", row.columns > 0 ? `Drift: ${row.drifted} of ${row.columns}` : "Drift"],
          ["performance", row.performance ? `Performance: ${row.performance}` : "Performance"],
          ["quality", "Quality"],
          ["history", "History"],
        ]}
        current={tab}
        onChange={(next) => place.set({ tab: next === "drift" ? null : next })}
      />
      <div className="grow" style={{ minHeight: 0 }}>
        {tab === "performance" ? (
          <Performance view={view} />
        ) : tab === "quality" ? (
          <Quality rows={view.quality} />
        ) : tab === "history" ? (
          <History name={row.deployment} />
        ) : (
          <Drift view={view} />
        )}
      </div>
    </>
  );
}

function Sentence({ view }: { view: MonitorView }) {
  const { row } = view;
  if (row.rows === 0)
    return (
      <p className="quiet monitor-sentence">
        {`No predictions in this window. The reference is ${view.reference}. `}
        <To to={`${pathTo("deployments", row.deployment)}?tab=try`}>Send a row</To>
      </p>
    );
  return (
    <p className="monitor-sentence">
      <strong>{plural(row.rows, "prediction")}</strong>
      {row.labelled > 0 ? `, ${count(row.labelled)} with labels,` : ", none with a label yet,"}
      <span title={`until ${when(view.until)}`}>{` since ${when(view.since)}`}</span>
      {`, against ${plural(view.reference_rows, "row")} of ${view.reference}. `}
      <span className="quiet">
        {view.mode === "evidently"
          ? "Tests as Evidently chooses them. "
          : "Tests corrected for sample size and number of columns. "}
      </span>
      <To to={pathTo("deployments", row.deployment)}>Open deployment</To>
    </p>
  );
}
