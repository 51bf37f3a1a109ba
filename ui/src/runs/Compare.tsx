import { useQueries } from "@tanstack/react-query";
import { call, useCommand } from "../api/client";
import type { ComparedValue, Comparison } from "../api/generated";
import { seriesToken } from "../shared/colors";
import { figure, NONE } from "../shared/format";
import { type Line, LineChart } from "../shared/LineChart";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { Page, Section, Tabs, To } from "../shared/ui";
import { RunState } from "./RunState";
import { differingFirst } from "./runs";
import "./runs.css";

const MOST_POINTS = 1000;
const MOST_CHARTS = 24;

/** Long decimals are rounded for reading; the whole value is in the title. */
function shownValue(value: string | null): string {
  if (value === null) return NONE;
  return /^-?\d+\.\d{5,}$/.test(value) ? figure(Number(value)) : value;
}

function Values({ title, rows }: { title: string; rows: ComparedValue[] }) {
  if (rows.length === 0) return null;
  return (
    <tbody>
      <tr className="compare-group">
        <th scope="rowgroup">{title}</th>
      </tr>
      {differingFirst(rows).map(({ key, values, differs }) => (
        <tr key={key} data-same={!differs || undefined}>
          <th scope="row" title={key}>
            {key}
          </th>
          {values.map((value, index) => (
            <td key={index} title={value ?? undefined}>
              {shownValue(value)}
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}

function Side({ comparison }: { comparison: Comparison }) {
  return (
    <div className="compare">
      <table>
        <thead>
          <tr>
            <th aria-label="Key" />
            {comparison.runs.map((run, index) => (
              <th key={run.run_id} scope="col">
                <span className="line">
                  <i className="swatch" style={{ background: `var(--${seriesToken(index)})` }} />
                  <To to={pathTo("runs", run.run_id)} className="cut">
                    {run.name}
                  </To>
                </span>
                <RunState row={run} />
              </th>
            ))}
          </tr>
        </thead>
        <Values title="Metrics" rows={comparison.metrics} />
        <Values title="Parameters" rows={comparison.params} />
        <Values title="Data" rows={comparison.data} />
      </table>
    </div>
  );
}

/** A metric that every run logged at most once: bars from zero. */
function Once({ metric, lines }: { metric: string; lines: Line[] }) {
  const values = lines.map(({ points }) => points[0]?.y ?? null);
  const most = Math.max(...values.map((value) => Math.abs(value ?? 0)), Number.EPSILON);
  return (
    <figure className="chart" aria-label={metric}>
      <figcaption className="chart-head">
        <span className="chart-title cut">{metric}</span>
        <span className="faint">logged once</span>
      </figcaption>
      <ul className="once">
        {lines.map((line, index) => {
          const value = values[index] ?? null;
          return (
            <li key={index} title={`${line.name}: ${value ?? "no value"}`}>
              <span className="cut">{line.name}</span>
              <span className="once-track">
                <i
                  style={{
                    width: `${(Math.abs(value ?? 0) / most) * 100}%`,
                    background: `var(--${seriesToken(index)})`,
                  }}
                />
              </span>
              <span className="num">{figure(value)}</span>
            </li>
          );
        })}
      </ul>
    </figure>
  );
}

function CompareChart({ metric, comparison }: { metric: string; comparison: Comparison }) {
  const series = useQueries({
    queries: comparison.runs.map(({ run_id, status }) => {
      const input = { run_id, key: metric, max_points: MOST_POINTS };
      return {
        queryKey: ["runs.metric", input],
        queryFn: () => call("runs.metric", input),
        refetchInterval: status === "RUNNING" ? 2500 : (false as const),
      };
    }),
  });
  const lines = comparison.runs.map((run, index): Line => {
    const points = series[index]?.data?.points ?? [];
    return {
      name: run.name,
      color: index,
      points: points.map(({ step, value }, at) => ({ x: step ?? at, y: value })),
    };
  });
  if (series.every(({ isPending }) => !isPending) && lines.every(({ points }) => points.length < 2)) {
    return <Once metric={metric} lines={lines} />;
  }
  return <LineChart title={metric} lines={lines} sync="compare" />;
}

export function Compare({ ids }: { ids: string[] }) {
  const place = usePlace();
  const comparison = useCommand("runs.compare", { run_ids: ids }, { enabled: ids.length > 0 });
  const tab = place.search.tab ?? "values";
  return (
    <Page title={`Compare ${ids.length} runs`} crumbs={[["Runs", "/runs"]]} flush>
      <Tabs
        label="Comparison"
        tabs={[
          ["values", "Values"],
          ["charts", "Charts"],
        ]}
        current={tab}
        onChange={(next) => place.set({ tab: next })}
      />
      {ids.length === 0 ? (
        <Empty title="No runs selected" cli="lapwing runs compare ID ID">
          Select two rows or more in the list of runs.
        </Empty>
      ) : (
        <Asked query={comparison}>
          {(answer) =>
            tab === "charts" ? (
              <div className="charts">
                {answer.metrics.slice(0, MOST_CHARTS).map(({ key }) => (
                  <CompareChart key={key} metric={key} comparison={answer} />
                ))}
                {answer.metrics.length === 0 ? <Section title="No metrics to draw">{null}</Section> : null}
              </div>
            ) : (
              <Side comparison={answer} />
            )
          }
        </Asked>
      )}
    </Page>
  );
}
