// A distribution against its reference: small in a row, large with axis and shares.
import type { ColumnDriftRow, DistributionPair } from "../api/generated";
import { percent } from "../shared/format";
import { driftSentence } from "./words";
import "./monitors.css";

const most = ({ reference, current }: DistributionPair) =>
  Math.max(1e-9, ...[...reference, ...current].map((value) => value ?? 0));

/** Reference as an outline, current as bars: the shape at a glance. */
export function Sparkline({ row }: { row: ColumnDriftRow }) {
  const { distribution } = row;
  const height = 22;
  const step = 120 / Math.max(1, distribution.labels.length);
  const top = most(distribution);
  if (distribution.labels.length === 0) return <span className="faint">–</span>;
  return (
    <svg
      className="spark"
      viewBox="0 0 120 24"
      width="120"
      height="24"
      role="img"
      aria-label={driftSentence(row)}
    >
      {distribution.labels.map((label, index) => {
        const now = ((distribution.current[index] ?? 0) / top) * height;
        const then = ((distribution.reference[index] ?? 0) / top) * height;
        return (
          <g key={label}>
            <rect
              className={row.drifted ? "now drifted" : "now"}
              x={index * step + 0.5}
              y={23 - now}
              width={Math.max(1, step - 1)}
              height={now}
            />
            <line className="then" x1={index * step} x2={(index + 1) * step} y1={23 - then} y2={23 - then} />
          </g>
        );
      })}
      <line className="ground" x1="0" x2="120" y1="23.5" y2="23.5" />
    </svg>
  );
}

const WIDTH = 680;
const HEIGHT = 210;
const LEFT = 44;
const BOTTOM = 24;

/** Two bars for each bin or category, with a scale in shares. */
export function DistributionChart({ row }: { row: ColumnDriftRow }) {
  const { labels, reference, current } = row.distribution;
  const top = niceTop(most(row.distribution));
  const step = (WIDTH - LEFT) / Math.max(1, labels.length);
  const bar = Math.min(28, step * 0.38);
  const y = (share: number | null | undefined) =>
    HEIGHT - BOTTOM - ((share ?? 0) / top) * (HEIGHT - BOTTOM - 8);
  const every = Math.ceil((Math.max(...labels.map((label) => label.length), 1) * 6.4 + 8) / step);
  return (
    <svg
      className="distribution"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={driftSentence(row)}
    >
      {[0, 0.5, 1].map((part) => (
        <g key={part}>
          <line className="grid" x1={LEFT} x2={WIDTH} y1={y(top * part)} y2={y(top * part)} />
          <text className="axis" x={LEFT - 6} y={y(top * part) + 4} textAnchor="end">
            {percent(top * part)}
          </text>
        </g>
      ))}
      {labels.map((label, index) => {
        const middle = LEFT + (index + 0.5) * step;
        return (
          <g key={label}>
            <title>{`${label}: reference ${percent(reference[index])}, now ${percent(current[index])}`}</title>
            <rect x={middle - step / 2} y={0} width={step} height={HEIGHT - BOTTOM} fill="transparent" />
            <rect
              className="then"
              x={middle - bar}
              y={y(reference[index])}
              width={bar}
              height={y(0) - y(reference[index])}
            />
            <rect
              className={row.drifted ? "now drifted" : "now"}
              x={middle}
              y={y(current[index])}
              width={bar}
              height={y(0) - y(current[index])}
            />
            {index % every === 0 ? (
              <text className="axis" x={middle} y={HEIGHT - BOTTOM + 16} textAnchor="middle">
                {label}
              </text>
            ) : null}
          </g>
        );
      })}
    </svg>
  );
}

/** The next round share above the highest bar. */
export function niceTop(value: number): number {
  return [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8].find((round) => round >= value) ?? 1;
}

export function DistributionKey({ drifted }: { drifted: boolean }) {
  return (
    <ul className="key">
      <li>
        <i className="then" /> reference
      </li>
      <li>
        <i className={drifted ? "now drifted" : "now"} /> now
      </li>
    </ul>
  );
}
