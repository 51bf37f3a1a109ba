// Small bars as SVG: counts of bins.
import { count } from "./format";
import "./chart.css";

export function Histogram({
  counts,
  labels,
  height = 40,
  label,
}: {
  counts: readonly number[];
  /** What each bar stands for, shown on hover. */
  labels?: readonly string[];
  height?: number;
  label: string;
}) {
  const most = Math.max(1, ...counts);
  const step = 100 / Math.max(1, counts.length);
  return (
    <svg
      className="bars"
      viewBox={`0 0 100 ${height}`}
      preserveAspectRatio="none"
      height={height}
      role="img"
      aria-label={label}
    >
      {counts.map((value, index) => {
        const tall = value === 0 ? 0 : Math.max(1, (value / most) * height);
        return (
          <g key={index}>
            <title>{`${labels?.[index] ?? index}: ${count(value)}`}</title>
            <rect x={index * step} y={0} width={step} height={height} fill="transparent" />
            <rect
              className="bar"
              x={index * step + step * 0.06}
              y={height - tall}
              width={step * 0.88}
              height={tall}
            />
          </g>
        );
      })}
      <line
        x1="0"
        x2="100"
        y1={height}
        y2={height}
        stroke="var(--line-2)"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}
