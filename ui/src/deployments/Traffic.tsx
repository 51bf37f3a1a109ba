import { useMemo } from "react";
import { useCommand } from "../api/client";
import type { TrafficBucket } from "../api/generated";
import { count, milliseconds, percent } from "../shared/format";
import { type Line, LineChart } from "../shared/LineChart";
import { usePlace } from "../shared/place";
import { Asked } from "../shared/states";
import { Section } from "../shared/ui";

const WINDOWS: [number, string][] = [
  [15, "15 min"],
  [60, "1 h"],
  [24 * 60, "24 h"],
];

export function Traffic({ name, live }: { name: string; live: boolean }) {
  const place = usePlace();
  const minutes = Number(place.search.minutes ?? 60);
  const traffic = useCommand(
    "deployments.traffic",
    { name, minutes },
    { every: live ? 2000 : false, keep: true },
  );
  return (
    <Section
      title="Traffic"
      aside={
        <div className="segments" role="group" aria-label="How far back">
          {WINDOWS.map(([value, text]) => (
            <button
              key={value}
              type="button"
              aria-pressed={value === minutes}
              onClick={() => place.set({ minutes: value === 60 ? null : String(value) })}
            >
              {text}
            </button>
          ))}
        </div>
      }
    >
      <Asked query={traffic} rows={4}>
        {(answer) => (
          <>
            <dl className="tiles">
              <Tile name="Requests" value={count(answer.requests)} />
              <Tile
                name="Errors"
                value={count(answer.errors)}
                note={answer.requests > 0 ? percent(answer.errors / answer.requests) : undefined}
              />
              <Tile name="p50" value={milliseconds(answer.p50)} />
              <Tile name="p95" value={milliseconds(answer.p95)} />
              <Tile name="p99" value={milliseconds(answer.p99)} />
            </dl>
            <Charts name={name} buckets={answer.buckets} />
          </>
        )}
      </Asked>
    </Section>
  );
}

function Tile({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value}
        {note ? <span className="faint">{note}</span> : null}
      </dd>
    </div>
  );
}

const line = (
  name: string,
  buckets: readonly TrafficBucket[],
  of: (row: TrafficBucket) => number | null,
) => ({
  name,
  points: buckets.map((bucket) => ({ x: bucket.at, y: of(bucket) })),
});

function Charts({ name, buckets }: { name: string; buckets: readonly TrafficBucket[] }) {
  const requests = useMemo<Line[]>(
    () => [
      { ...line("requests", buckets, (row) => row.requests), color: 0 },
      { ...line("errors", buckets, (row) => row.errors), tone: "failed" },
    ],
    [buckets],
  );
  const latency = useMemo<Line[]>(
    () => [
      { ...line("p50", buckets, (row) => row.p50), color: 0 },
      { ...line("p95", buckets, (row) => row.p95), color: 1 },
      { ...line("p99", buckets, (row) => row.p99), color: 3 },
    ],
    [buckets],
  );
  if (buckets.every((bucket) => bucket.requests === 0))
    return <p className="quiet">No requests in this time. Try it sends the first one.</p>;
  return (
    <div className="two-charts">
      <LineChart
        title="Requests"
        lines={requests}
        time
        from0
        sync={`traffic ${name}`}
        format={count}
        height={170}
      />
      <LineChart
        title="Latency"
        lines={latency}
        time
        from0
        sync={`traffic ${name}`}
        format={milliseconds}
        height={170}
      />
    </div>
  );
}
