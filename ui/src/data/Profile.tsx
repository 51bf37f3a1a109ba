import { useCommand } from "../api/client";
import type { ColumnProfile } from "../api/generated";
import { count, figure, NONE, percent } from "../shared/format";
import { Histogram } from "../shared/Histogram";
import { Asked } from "../shared/states";
import { Tag } from "../shared/ui";

import "./data.css";

const PROFILED_ROWS = 1_000_000;

function Values({ column, rows }: { column: ColumnProfile; rows: number }) {
  return (
    <ol className="top-values" aria-label={`Most frequent values of ${column.name}`}>
      {column.top.slice(0, 6).map(({ value, count: times }) => (
        <li key={value} title={`${value}: ${count(times)}`}>
          <span
            className="top-bar"
            style={{ width: `${(times / Math.max(1, column.top[0]?.count ?? 1)) * 100}%` }}
          />
          <span className="cut grow">{value === "" ? "empty text" : value}</span>
          <span className="quiet">{percent(times / Math.max(1, rows))}</span>
        </li>
      ))}
      {column.distinct > 6 ? <li className="faint">and {count(column.distinct - 6)} more</li> : null}
    </ol>
  );
}

/** A number that JavaScript cannot hold is shown as the text that it came as. */
function end(value: number | null, exact: string | null): string {
  return exact !== null && value !== null && !Number.isSafeInteger(value) ? exact : figure(value);
}

function ColumnRow({ column, rows }: { column: ColumnProfile; rows: number }) {
  const binned = column.counts.length > 0;
  const labels = column.counts.map(
    (_, index) => `${figure(column.edges[index])} to ${figure(column.edges[index + 1])}`,
  );
  return (
    <li className="profile-row">
      <div className="profile-name">
        <strong className="cut" title={column.name}>
          {column.name}
        </strong>
        <span className="faint">{column.kind}</span>
        <span className="line wrap">
          {column.warnings.map((warning) => (
            <Tag key={warning} tone="stale">
              {warning}
            </Tag>
          ))}
        </span>
      </div>
      <div className="profile-shape">
        {binned ? (
          <>
            <Histogram
              counts={column.counts}
              labels={labels}
              height={48}
              label={`Distribution of ${column.name}`}
            />
            <div className="profile-range faint">
              <span>{end(column.min, column.first)}</span>
              <span>{end(column.max, column.last)}</span>
            </div>
          </>
        ) : (
          <Values column={column} rows={rows} />
        )}
      </div>
      <dl className="profile-facts">
        <div>
          <dt>Missing</dt>
          <dd title={count(column.nulls)}>
            {column.nulls === 0 ? "none" : percent(column.nulls / Math.max(1, rows))}
          </dd>
        </div>
        <div>
          <dt>Distinct</dt>
          <dd>{count(column.distinct)}</dd>
        </div>
        {binned
          ? (
              [
                ["Mean", column.mean],
                ["Std", column.std],
                ["Median", column.median],
                ["Quartiles", null],
              ] as const
            ).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd title={value === null ? undefined : String(value)}>
                  {name === "Quartiles"
                    ? column.q25 === null
                      ? NONE
                      : `${figure(column.q25)} – ${figure(column.q75)}`
                    : figure(value)}
                </dd>
              </div>
            ))
          : null}
        {!binned && column.first !== null
          ? (
              [
                ["First", column.first],
                ["Last", column.last],
              ] as const
            ).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd title={value ?? undefined}>{value}</dd>
              </div>
            ))
          : null}
      </dl>
    </li>
  );
}

export function Profile({ project, path }: { project: string; path: string }) {
  const asked = useCommand(
    "data.profile",
    { project, path, offset: 0, limit: PROFILED_ROWS },
    { staleTime: 60_000 },
  );
  return (
    <Asked query={asked} rows={10}>
      {(profile) => (
        <div className="profile">
          <p className="quiet profile-summary">
            {count(profile.rows)} rows, {count(profile.columns.length)} columns
            {profile.rows >= PROFILED_ROWS ? ", the first million of them looked at" : ""}
          </p>
          <ul>
            {profile.columns.map((column) => (
              <ColumnRow key={column.name} column={column} rows={profile.rows} />
            ))}
          </ul>
        </div>
      )}
    </Asked>
  );
}
