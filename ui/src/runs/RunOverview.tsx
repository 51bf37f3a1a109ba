import type { LoggedModelRow, RunDetail } from "../api/generated";
import { duration, figure, NONE } from "../shared/format";
import { pathTo } from "../shared/place";
import { Button, Facts, Id, Section, State, Time, To, useNow } from "../shared/ui";
import { JOB } from "../shared/words";
import { NestedRuns } from "./NestedRuns";
import { runTime } from "./runs";

/** What is true of every run, also of a sweep. */
export function RunFacts({ detail }: { detail: RunDetail }) {
  const now = useNow(1000);
  const { row } = detail;
  return (
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
  );
}

export function Pairs({
  title,
  values,
  empty,
}: {
  title: string;
  values: [string, string][];
  empty: string;
}) {
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

export function RunOverview({
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
        <RunFacts detail={detail} />
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
        <NestedRuns parent={row.run_id} />
        <Section title="Stages">
          {detail.jobs.length === 0 ? (
            <p className="faint">No stage ran: logged from outside the pipeline, or taken from the cache</p>
          ) : null}
          <ul className="rows">
            {detail.jobs.map((job) => (
              <li key={job.id}>
                <State tone={JOB[job.status].tone}>{JOB[job.status].word}</State>
                <To to={pathTo("jobs", job.id)} className="cut">
                  {job.stage ?? job.title}
                </To>
                <span className="faint cut grow" title={job.outcome ?? job.why ?? undefined}>
                  {job.outcome ?? job.why}
                </span>
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
