// Rows of one kind. Virtual, so that 10,000 rows scroll like ten; sortable; driven by the keyboard.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import {
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import "./table.css";

export interface Column<R> {
  key: string;
  title: ReactNode;
  /** A grid track: `120px`, `minmax(160px, 2fr)`. */
  width: string;
  numeric?: boolean;
  cell: (row: R) => ReactNode;
  /** What to sort by; without it the column has no order. */
  order?: (row: R) => string | number | null;
  hint?: string;
  /** Left out where the table is too narrow for all of them. */
  spare?: boolean;
}

export interface Sorting {
  key: string;
  descending: boolean;
}

/** Missing values come last, whichever way the rest goes. */
export function sorted<R>(
  rows: readonly R[],
  columns: readonly Column<R>[],
  sorting: Sorting | null,
): readonly R[] {
  const by = columns.find(({ key }) => key === sorting?.key)?.order;
  if (!by || !sorting) return rows;
  const sign = sorting.descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const left = by(a);
    const right = by(b);
    if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1;
    return (left < right ? -1 : left > right ? 1 : 0) * sign;
  });
}

const GAP = 16;
const CHECK_BOX = 32;
const EDGES = 40;

/** The least that the columns need: beyond it the table scrolls sideways, head and rows alike. */
export function leastWidth(widths: readonly string[], edges = EDGES): number {
  const each = widths.map((width) => Number(/(\d+(?:\.\d+)?)px/.exec(width)?.[1] ?? 80));
  return each.reduce((sum, width) => sum + width, 0) + GAP * Math.max(0, widths.length - 1) + edges;
}

/** Those for which there is room: all, or all that are not spare. */
export function fitting<R>(columns: readonly Column<R>[], room: number): readonly Column<R>[] {
  const fit = leastWidth(columns.map(({ width }) => width)) <= room;
  return fit ? columns : columns.filter(({ spare }) => !spare);
}

/** How wide an element is; without end before it is known. */
function useWidth(element: RefObject<HTMLElement | null>, watched: boolean): number {
  const [width, setWidth] = useState(Number.POSITIVE_INFINITY);
  useLayoutEffect(() => {
    const at = element.current;
    if (!watched || !at || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(() => setWidth(at.clientWidth));
    observer.observe(at);
    return () => observer.disconnect();
  }, [element, watched]);
  return width;
}

export interface TableProps<R> {
  label: string;
  rows: readonly R[];
  columns: readonly Column<R>[];
  id: (row: R) => string;
  onOpen?: (row: R) => void;
  /** Ids that are selected; gives every row a check box. */
  selected?: ReadonlySet<string>;
  onSelect?: (ids: Set<string>) => void;
  current?: string | null;
  sorting?: Sorting | null;
  onSort?: (sorting: Sorting | null) => void;
  /** Asked when the end comes near. */
  onEnd?: () => void;
  /** As tall as its rows instead of filling its parent; for short tables inside a page. */
  short?: boolean;
}

export function Table<R>(props: TableProps<R>) {
  const { label, id, onOpen, selected, onSelect, current, onEnd, short = false } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const room = useWidth(
    scroller,
    props.columns.some(({ spare }) => spare),
  );
  const columns = useMemo(() => fitting(props.columns, room), [props.columns, room]);
  const [ownSorting, setOwnSorting] = useState<Sorting | null>(null);
  const [active, setActive] = useState(0);
  const sorting = props.onSort ? (props.sorting ?? null) : ownSorting;
  const setSorting = props.onSort ?? setOwnSorting;
  const rows = useMemo(
    () => (props.onSort ? props.rows : sorted(props.rows, columns, sorting)),
    [props.onSort, props.rows, columns, sorting],
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 32,
    overscan: 12,
    onChange: (instance) => {
      const last = instance.range?.endIndex ?? 0;
      if (onEnd && last >= rows.length - 20) onEnd();
    },
  });
  const least = leastWidth(
    [...(selected ? [`${CHECK_BOX}px`] : []), ...columns.map(({ width }) => width)],
    short ? 0 : EDGES,
  );
  const tracks = `${selected ? `${CHECK_BOX}px ` : ""}${columns.map(({ width }) => width).join(" ")}`;
  const toggle = (row: R) => {
    if (!selected || !onSelect) return;
    const next = new Set(selected);
    if (!next.delete(id(row))) next.add(id(row));
    onSelect(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const row = rows[active];
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      const next = Math.max(0, Math.min(rows.length - 1, active + step));
      setActive(next);
      if (!short) virtual.scrollToIndex(next);
    } else if (event.key === "Enter" && row && onOpen) onOpen(row);
    else if (event.key === " " && row && selected) toggle(row);
    else return;
    event.preventDefault();
  };
  const shown = short
    ? rows.map((row, index) => ({ row, index, start: null }))
    : virtual.getVirtualItems().flatMap(({ index, start }) => {
        const row = rows[index];
        return row === undefined ? [] : [{ row, index, start }];
      });
  return (
    <div
      ref={scroller}
      className={short ? "table short" : "table"}
      role="grid"
      aria-label={label}
      aria-rowcount={rows.length}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <div className="table-head" role="row" style={{ gridTemplateColumns: tracks, minWidth: least }}>
        {selected ? (
          <span role="columnheader" tabIndex={-1}>
            <input
              type="checkbox"
              aria-label="Select all"
              checked={rows.length > 0 && selected.size >= rows.length}
              onChange={(event) => onSelect?.(new Set(event.target.checked ? rows.map(id) : []))}
            />
          </span>
        ) : null}
        {columns.map((column) => (
          <Head key={column.key} column={column} sorting={sorting} onSort={setSorting} />
        ))}
      </div>
      <div
        className="table-rows"
        role="rowgroup"
        style={{ minWidth: least, ...(short ? {} : { height: virtual.getTotalSize() }) }}
      >
        {shown.map(({ row, index, start }) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the grid handles the keys
          <div
            key={id(row)}
            role="row"
            tabIndex={-1}
            className="table-row"
            aria-selected={selected?.has(id(row)) || current === id(row) || undefined}
            data-active={index === active || undefined}
            data-open={onOpen ? "" : undefined}
            style={{
              gridTemplateColumns: tracks,
              ...(start === null
                ? {}
                : { position: "absolute", top: 0, transform: `translateY(${start}px)` }),
            }}
            onClick={() => {
              setActive(index);
              onOpen?.(row);
            }}
          >
            {selected ? (
              // biome-ignore lint/a11y/useKeyWithClickEvents: only keeps the click from opening the row
              <span role="gridcell" tabIndex={-1} onClick={(event) => event.stopPropagation()}>
                <input
                  type="checkbox"
                  aria-label={`Select ${id(row)}`}
                  checked={selected.has(id(row))}
                  onChange={() => toggle(row)}
                />
              </span>
            ) : null}
            {columns.map((column) => (
              <span
                key={column.key}
                role="gridcell"
                tabIndex={-1}
                className={column.numeric ? "cell num" : "cell"}
              >
                {column.cell(row)}
              </span>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

function Head<R>({
  column,
  sorting,
  onSort,
}: {
  column: Column<R>;
  sorting: Sorting | null;
  onSort: (sorting: Sorting | null) => void;
}) {
  const mine = sorting?.key === column.key ? sorting : null;
  const direction = mine ? (mine.descending ? "descending" : "ascending") : "none";
  const Arrow = mine?.descending ? ArrowDown : ArrowUp;
  return (
    <span
      role="columnheader"
      tabIndex={-1}
      aria-sort={direction}
      className={column.numeric ? "cell num" : "cell"}
      title={column.hint}
    >
      {column.order ? (
        <button
          type="button"
          className="sort"
          onClick={() =>
            onSort(
              mine
                ? mine.descending
                  ? { key: column.key, descending: false }
                  : null
                : { key: column.key, descending: true },
            )
          }
        >
          <span className="cut">{column.title}</span>
          {mine ? <Arrow size={12} aria-hidden /> : null}
        </button>
      ) : (
        column.title
      )}
    </span>
  );
}
