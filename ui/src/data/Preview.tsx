// The rows of a table file, asked for in windows: a file of any length scrolls.
import { useQueries } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { call, useCommand } from "../api/client";
import { count, figure } from "../shared/format";
import { Asked } from "../shared/states";
import "./data.css";

const WINDOW = 200;

export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : figure(value);
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/** Wide enough for its name and for what its first rows hold. */
export function widthOf(name: string, values: readonly unknown[]): number {
  const longest = values.reduce<number>(
    (most, value) => Math.max(most, cellText(value).length),
    name.length + 2,
  );
  return Math.min(280, Math.max(72, longest * 7.2 + 20));
}

function Rows({
  project,
  path,
  total,
  first,
  columns,
}: {
  project: string;
  path: string;
  total: number;
  first: unknown[][];
  columns: { name: string; kind: string; numeric: boolean }[];
}) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: total,
    getScrollElement: () => box.current,
    estimateSize: () => 26,
    overscan: 10,
  });
  const items = virtual.getVirtualItems();
  const from = Math.floor((items[0]?.index ?? 0) / WINDOW);
  const to = Math.floor((items.at(-1)?.index ?? 0) / WINDOW);
  const windows = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const loaded = useQueries({
    queries: windows.map((index) => {
      const input = { project, path, offset: index * WINDOW, limit: WINDOW };
      return { queryKey: ["data.preview", input], queryFn: () => call("data.preview", input) };
    }),
  });
  const rowAt = (index: number): unknown[] | undefined => {
    const at = Math.floor(index / WINDOW);
    if (at === 0) return first[index];
    return loaded[at - from]?.data?.rows[index % WINDOW];
  };
  const widths = columns.map(({ name }, index) =>
    widthOf(
      name,
      first.slice(0, 50).map((row) => row[index]),
    ),
  );
  const tracks = `64px ${widths.map((width) => `${Math.round(width)}px`).join(" ")}`;
  return (
    <div
      ref={box}
      className="preview"
      role="table"
      aria-label={`Rows of ${path}`}
      aria-rowcount={total}
      tabIndex={0}
    >
      <div className="preview-head" role="row" style={{ gridTemplateColumns: tracks }}>
        <span role="columnheader" className="faint num">
          {" "}
        </span>
        {columns.map(({ name, kind, numeric }) => (
          <span
            key={name}
            role="columnheader"
            className={numeric ? "num cut" : "cut"}
            title={`${name}: ${kind}`}
          >
            <span className="cut">{name}</span>
            <span className="faint preview-kind">{kind}</span>
          </span>
        ))}
      </div>
      <div className="preview-rows" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, start }) => {
          const row = rowAt(index);
          return (
            <div
              key={index}
              role="row"
              className="preview-row"
              style={{ gridTemplateColumns: tracks, transform: `translateY(${start}px)` }}
            >
              <span role="rowheader" className="faint num">
                {count(index + 1)}
              </span>
              {columns.map(({ name, numeric }, column) => {
                const value = row?.[column];
                return (
                  <span
                    key={name}
                    role="cell"
                    className={numeric ? "num cut" : "cut"}
                    title={row ? String(value ?? "missing") : undefined}
                  >
                    {!row ? (
                      <i className="preview-wait" />
                    ) : value === null ? (
                      <span className="faint">null</span>
                    ) : (
                      cellText(value)
                    )}
                  </span>
                );
              })}
            </div>
          );
        })}
      </div>
    </div>
  );
}

export function Preview({ project, path }: { project: string; path: string }) {
  const first = useCommand("data.preview", { project, path, offset: 0, limit: WINDOW });
  return (
    <Asked query={first} rows={12}>
      {(answer) => (
        <Rows
          key={path}
          project={project}
          path={path}
          total={answer.total_rows}
          first={answer.rows}
          columns={answer.columns}
        />
      )}
    </Asked>
  );
}
