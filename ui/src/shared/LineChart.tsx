// Lines over steps or time. The only place that knows uPlot; charts with the same `sync` share their crosshair.
import { Download } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { seriesToken, token } from "./colors";
import { count, figure, when } from "./format";
import { IconButton } from "./ui";
import "./chart.css";

export interface Line {
  name: string;
  /** Of a fixed palette, so that a run keeps its colour when others go. */
  color?: number;
  /** A token, for lines with a meaning of their own: `failed`. */
  tone?: string;
  dashed?: boolean;
  points: readonly { x: number; y: number | null }[];
}

/** One column of x, one of y for each line; `null` where a line has no point. */
export function aligned(lines: readonly Line[]): [number[], ...(number | null)[][]] {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const columns = lines.map(({ points }) => {
    const at = new Map(points.map(({ x, y }) => [x, y]));
    return xs.map((x) => at.get(x) ?? null);
  });
  return [xs, ...columns];
}

/** What a spreadsheet opens. */
export function csvOf(lines: readonly Line[], x: string): string {
  const [xs, ...columns] = aligned(lines);
  const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = xs.map((value, row) => [value, ...columns.map((column) => column[row] ?? "")].join(","));
  return [[x, ...lines.map(({ name }) => quote(name))].join(","), ...rows].join("\n");
}

/** Exponential smoothing; `weight` 0 leaves the points as they are. */
export function smoothed(line: Line, weight: number): Line {
  if (weight === 0) return line;
  let last: number | null = null;
  const points = line.points.map(({ x, y }) => {
    if (y === null) return { x, y };
    last = last === null ? y : last * weight + y * (1 - weight);
    return { x, y: last };
  });
  return { ...line, points };
}

/** Ticks are round numbers: no trailing zeros. */
function axisText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return value.toExponential(0);
  return count(Number(value.toPrecision(6)));
}

function save(name: string, href: string): void {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
}

export interface LineChartProps {
  title: string;
  lines: readonly Line[];
  height?: number;
  /** Milliseconds since 1970 instead of steps. */
  time?: boolean;
  log?: boolean;
  /** A level worth comparing with, such as the line of a policy. */
  level?: { value: number; name: string } | null;
  sync?: string;
  from0?: boolean;
  format?: (value: number | null) => string;
}

export function LineChart(props: LineChartProps) {
  const {
    title,
    lines,
    height = 200,
    time = false,
    log = false,
    level = null,
    sync,
    from0 = false,
    format = figure,
  } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState<number | null>(null);
  const [theme, setTheme] = useState(() => document.documentElement.dataset.theme);
  const shown = useMemo<Line[]>(() => {
    const visible = lines.filter(({ name }) => !hidden.has(name));
    const ends = visible.flatMap(({ points }) => points.map(({ x }) => x));
    if (!level || ends.length === 0) return visible;
    const [low, high] = [ends.reduce((a, b) => Math.min(a, b)), ends.reduce((a, b) => Math.max(a, b))];
    const points = [low, high].map((x) => ({ x, y: level.value }));
    return [...visible, { name: level.name, tone: "failed", dashed: true, points }];
  }, [lines, hidden, level]);
  const data = useMemo(() => aligned(shown), [shown]);
  const shape = JSON.stringify([
    shown.map(({ name, color, tone, points }) => [name, color, tone, points.length < 2]),
    time,
    log,
    sync,
    from0,
    height,
    theme,
  ]);

  useEffect(() => {
    const observer = new MutationObserver(() => setTheme(document.documentElement.dataset.theme));
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => observer.disconnect();
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for everything that needs a new plot
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const axis: uPlot.Axis = {
      stroke: token("ink-3"),
      font: `11px ${token("font")}`,
      grid: { stroke: token("grid"), width: 1 },
      ticks: { show: false },
    };
    const options: uPlot.Options = {
      width: element.clientWidth || 400,
      height,
      legend: { show: false },
      padding: [8, 8, 0, 0],
      ms: 1,
      cursor: {
        points: { size: 6 },
        y: false,
        ...(sync ? { sync: { key: sync } } : {}),
      },
      hooks: { setCursor: [(chart) => setAt(chart.cursor.idx ?? null)] },
      scales: {
        x: { time },
        y: {
          distr: log ? 3 : 1,
          ...(from0 && !log
            ? { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] as [number, number] }
            : {}),
        },
      },
      axes: [
        { ...axis, size: time ? 42 : 28, space: 70 },
        {
          ...axis,
          size: 52,
          values: (_, splits) =>
            splits.map((value) =>
              value === null ? "" : format === figure ? axisText(value) : format(value),
            ),
        },
      ],
      series: [
        {},
        ...shown.map((line, index): uPlot.Series => {
          const stroke = token(line.tone ?? seriesToken(line.color ?? index));
          return {
            label: line.name,
            stroke,
            width: line.dashed ? 1 : 1.5,
            spanGaps: true,
            points: { show: line.points.length < 2, size: 6, fill: stroke },
            ...(line.dashed ? { dash: [4, 4] } : {}),
          };
        }),
      ],
    };
    const chart = new uPlot(options, data, element);
    plot.current = chart;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current = null;
      chart.destroy();
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);

  const [xs] = data;
  const x = at === null ? null : xs[at];
  const valueAt = (line: Line): number | null => {
    if (x === null || x === undefined) return line.points.findLast(({ y }) => y !== null)?.y ?? null;
    return line.points.findLast((point) => point.x <= x)?.y ?? null;
  };
  const toggle = (name: string) => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    setHidden(next);
  };
  return (
    <figure className="chart" aria-label={title}>
      <figcaption className="chart-head">
        <span className="chart-title cut" title={title}>
          {title}
        </span>
        <span className="faint chart-x">
          {x === null || x === undefined ? "" : time ? when(x) : `step ${x}`}
        </span>
        <span className="grow" />
        <IconButton
          label={`Save ${title} as CSV`}
          icon={Download}
          onClick={() =>
            save(
              `${title}.csv`,
              `data:text/csv;charset=utf-8,${encodeURIComponent(csvOf(lines, time ? "time" : "step"))}`,
            )
          }
        />
        <button
          type="button"
          className="chart-png faint"
          onClick={() => {
            const canvas = box.current?.querySelector("canvas");
            if (canvas) save(`${title}.png`, canvas.toDataURL("image/png"));
          }}
        >
          PNG
        </button>
      </figcaption>
      <div ref={box} className="chart-box" style={{ height }} />
      <ul className="legend">
        {lines.map((line, index) => (
          <li key={line.name}>
            <button
              type="button"
              aria-pressed={!hidden.has(line.name)}
              onClick={() => toggle(line.name)}
              title={line.name}
            >
              <i style={{ background: `var(--${line.tone ?? seriesToken(line.color ?? index)})` }} />
              <span className="cut">{line.name}</span>
              <span className="quiet">{format(valueAt(line))}</span>
            </button>
          </li>
        ))}
        {level ? (
          <li className="quiet legend-level">
            {level.name} {format(level.value)}
          </li>
        ) : null}
      </ul>
    </figure>
  );
}
