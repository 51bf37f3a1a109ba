import { Popover } from "@base-ui/react/popover";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Columns3, GitCompare, ListTree, Trash2 } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { call, useAction } from "../api/client";
import type { RunRow } from "../api/generated";
import { toReport } from "../host";
import { count, duration, figure, NONE } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Empty, Failure, Skeleton } from "../shared/states";
import { useProject, useStored } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { Button, Page, Tag, Time, useNow } from "../shared/ui";
import { RunName } from "./RunName";
import { RunState } from "./RunState";
import { type Keys, listInput, MOST_COMPARED, parseSorting, printSorting, runTime, shownKeys } from "./runs";
import "./runs.css";

const LIVE_MS = 2500;

function columnsFor(keys: Keys, now: number): Column<RunRow>[] {
  return [
    {
      key: "name",
      title: "Run",
      width: "minmax(200px, 1fr)",
      cell: (row) => <RunName row={row} />,
      order: (row) => row.name,
    },
    {
      key: "status",
      title: "State",
      width: "92px",
      cell: (row) => <RunState row={row} />,
      order: (row) => row.status,
    },
    {
      key: "start",
      title: "Started",
      width: "88px",
      cell: (row) => <Time at={row.start} />,
      order: (row) => row.start,
    },
    { key: "took", title: "Took", width: "84px", numeric: true, cell: (row) => duration(runTime(row, now)) },
    ...keys.metrics.map(
      (key): Column<RunRow> => ({
        key: `metric:${key}`,
        title: key,
        hint: `metrics.${key}`,
        width: "84px",
        numeric: true,
        cell: (row) => (
          <span title={String(row.metrics[key] ?? "")}>
            {key in row.metrics ? (row.metrics[key] === null ? "NaN" : figure(row.metrics[key])) : NONE}
          </span>
        ),
        order: (row) => row.metrics[key] ?? null,
      }),
    ),
    ...keys.params.map(
      (key): Column<RunRow> => ({
        key: `param:${key}`,
        title: key,
        hint: `params.${key}`,
        width: "minmax(84px, 120px)",
        cell: (row) => <span title={row.params[key]}>{row.params[key] ?? NONE}</span>,
        order: (row) => row.params[key] ?? null,
      }),
    ),
    { key: "commit", title: "Commit", width: "72px", cell: (row) => <code>{row.commit ?? NONE}</code> },
    {
      key: "models",
      title: "Model",
      width: "minmax(110px, 160px)",
      cell: (row) => row.models.map((model) => <Tag key={model}>{model}</Tag>),
    },
  ];
}

function ColumnChooser({
  known,
  shown,
  onChange,
}: {
  known: Keys;
  shown: Keys;
  onChange: (stored: string | null) => void;
}) {
  const chosen = new Set([
    ...shown.metrics.map((key) => `metric:${key}`),
    ...shown.params.map((key) => `param:${key}`),
  ]);
  const group = (title: string, kind: string, keys: string[]) =>
    keys.length === 0 ? null : (
      <>
        <div className="popup-label">{title}</div>
        {keys.map((key) => (
          <label key={key} className="popup-item">
            <input
              type="checkbox"
              checked={chosen.has(`${kind}:${key}`)}
              onChange={() => {
                const next = new Set(chosen);
                if (!next.delete(`${kind}:${key}`)) next.add(`${kind}:${key}`);
                onChange([...next].join("\n"));
              }}
            />
            <span className="cut">{key}</span>
          </label>
        ))}
      </>
    );
  return (
    <Popover.Root>
      <Popover.Trigger className="button button-plain">
        <Columns3 size={14} aria-hidden /> Columns
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={4} align="end" style={{ zIndex: 30 }}>
          <Popover.Popup className="popup" aria-label="Columns">
            {group("Metrics", "metric", known.metrics)}
            {group("Parameters", "param", known.params)}
            <div className="popup-rule" />
            <button type="button" className="popup-item" onClick={() => onChange(null)}>
              Show the usual ones
            </button>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Asked for once typing pauses or Enter is pressed. */
function Filter({ value, onChange }: { value: string; onChange: (filter: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <form
      className="grow"
      onSubmit={(event) => {
        event.preventDefault();
        onChange(text);
      }}
    >
      <input
        data-filter
        type="search"
        className="input mono"
        aria-label="Filter runs"
        placeholder="metrics.auc > 0.68 and params.max_iter = '250'"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          if (event.target.value === "") onChange("");
        }}
        onBlur={() => onChange(text)}
      />
    </form>
  );
}

export function Runs() {
  const place = usePlace();
  const now = useNow(5000);
  const [project] = useProject();
  const [stored, setStored] = useStored("runs.columns");
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const everywhere = place.search.all === "1";
  const deleted = place.search.deleted === "1";
  const filter = place.search.filter ?? "";
  const sorting = parseSorting(place.search.sort);
  // A deleted trial may be the only one of its sweep that is here.
  const trials = deleted || place.search.trials === "1" ? "shown" : "hidden";
  const input = listInput({ project: everywhere ? null : project, filter, sorting, deleted, trials });
  const runs = useInfiniteQuery({
    queryKey: ["runs.list", input],
    queryFn: ({ pageParam }) => call("runs.list", { ...input, page_token: pageParam }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_page_token,
    placeholderData: (before) => before,
    refetchInterval: (query) =>
      query.state.data?.pages[0]?.rows.some(({ status }) => status === "RUNNING") ? LIVE_MS : false,
  });
  const restore = useAction("runs.restore", { done: "Restored" });
  const rows = useMemo(() => runs.data?.pages.flatMap((page) => page.rows) ?? [], [runs.data]);
  const first = runs.data?.pages[0];
  const known: Keys = { metrics: first?.metric_keys ?? [], params: first?.param_keys ?? [] };
  const keys = shownKeys(stored, known, { metrics: first?.goals ?? [], params: first?.swept ?? [] });
  const more = runs.hasNextPage;
  const compare = () => place.go(`/runs/compare?ids=${[...selected].slice(0, MOST_COMPARED).join(",")}`);
  return (
    <Page
      title={deleted ? "Deleted runs" : "Runs"}
      note={first ? `${count(rows.length)}${more ? "+" : ""} shown` : null}
      flush
      actions={
        <>
          {selected.size > 0 ? (
            <Button kind="ghost" onClick={() => setSelected(new Set())}>
              Clear {selected.size}
            </Button>
          ) : null}
          {deleted && selected.size > 0 ? (
            <Button
              onClick={() => {
                for (const run_id of selected) restore.mutate({ run_id });
                setSelected(new Set());
              }}
            >
              Restore
            </Button>
          ) : null}
          <Button
            kind={selected.size > 1 ? "primary" : "plain"}
            icon={GitCompare}
            disabled={selected.size < 2}
            title="Select two runs or more"
            onClick={compare}
          >
            Compare
          </Button>
        </>
      }
    >
      <div className="toolbar">
        <Filter value={filter} onChange={(next) => next !== filter && place.set({ filter: next || null })} />
        <div className="segments">
          <button type="button" aria-pressed={!everywhere} onClick={() => place.set({ all: null })}>
            This project
          </button>
          <button type="button" aria-pressed={everywhere} onClick={() => place.set({ all: "1" })}>
            All
          </button>
        </div>
        {deleted ? null : (
          <Button
            kind={trials === "shown" ? "plain" : "ghost"}
            icon={ListTree}
            aria-pressed={trials === "shown"}
            title="Show also trials of sweeps, and other runs that belong under one"
            onClick={() => place.set({ trials: trials === "shown" ? null : "1" })}
          >
            Trials
          </Button>
        )}
        <ColumnChooser known={known} shown={keys} onChange={setStored} />
        <Button
          kind="ghost"
          icon={Trash2}
          aria-pressed={deleted}
          onClick={() => place.set({ deleted: deleted ? null : "1" })}
        >
          {deleted ? "Back to runs" : "Deleted"}
        </Button>
      </div>
      <div className="grow" style={{ minHeight: 0 }}>
        {runs.isError ? <Failure report={toReport(runs.error)} retry={() => void runs.refetch()} /> : null}
        {!first && !runs.isError ? <Skeleton rows={10} /> : null}
        {first && rows.length === 0 && !runs.isError ? (
          filter !== "" ? (
            <Empty
              title="No run matches"
              action={
                <>
                  <Button onClick={() => place.set({ filter: null })}>Clear the filter</Button>
                  {trials === "hidden" ? (
                    <Button onClick={() => place.set({ trials: "1" })}>Look among trials too</Button>
                  ) : null}
                </>
              }
            >
              {`Nothing found for “${filter}”.`}
            </Empty>
          ) : (
            <Empty
              title={deleted ? "No deleted runs" : "No runs yet"}
              cli={deleted ? undefined : "lapwing run"}
              action={
                deleted ? undefined : <Button onClick={() => place.go("/pipeline")}>Open the pipeline</Button>
              }
            >
              {deleted
                ? "Runs that you delete can be restored here."
                : "Start one with Run, or let any MLflow client log to the tracking address below."}
            </Empty>
          )
        ) : null}
        {rows.length > 0 && !runs.isError ? (
          <Table
            label="Runs"
            rows={rows}
            columns={columnsFor(keys, now)}
            id={({ run_id }) => run_id}
            onOpen={({ run_id }) => place.go(pathTo("runs", run_id))}
            selected={selected}
            onSelect={setSelected}
            sorting={sorting}
            onSort={(next) => place.set({ sort: printSorting(next) })}
            onEnd={() => {
              if (runs.hasNextPage && !runs.isFetchingNextPage) void runs.fetchNextPage();
            }}
          />
        ) : null}
      </div>
    </Page>
  );
}
