import { useMemo } from "react";
import type { Goal, SweepView, TrialRow } from "../api/generated";
import { duration, figure, NONE } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Prose } from "../shared/states";
import { type Column, sorted, Table } from "../shared/Table";
import { Button, State, useNow } from "../shared/ui";
import { RUN } from "../shared/words";
import { BestTag } from "./BestTag";
import { parseSorting, printSorting } from "./runs";
import {
  firstSorting,
  isNumeric,
  isUsable,
  orderOf,
  otherMetrics,
  shortNames,
  sweptNames,
  sweptValue,
  trialTime,
} from "./sweep";

const NOT_BEGUN = { tone: "idle", word: "not begun" } as const;
const WAITING = { tone: "idle", word: "waiting" } as const;

/** A failed one says why beside its word, and one that goes on what is done for it. */
function TrialState({ trial, goesOn }: { trial: TrialRow; goesOn: boolean }) {
  const { tone, word } = trial.status !== null ? RUN[trial.status] : goesOn ? WAITING : NOT_BEGUN;
  const beside = trial.status === "FAILED" ? trial.failure : trial.doing;
  return (
    <span className="line" title={beside ?? undefined}>
      <State tone={tone}>{word}</State>
      {beside ? (
        <span className="cut quiet">
          <Prose text={beside} />
        </span>
      ) : null}
    </span>
  );
}

function Metric({ value }: { value: number | null | undefined }) {
  if (value === undefined) return NONE;
  return <span title={String(value ?? "NaN")}>{value === null ? "NaN" : figure(value)}</span>;
}

function paramColumns(trials: readonly TrialRow[]): Column<TrialRow>[] {
  const names = sweptNames(trials);
  const short = shortNames(names);
  return names.map((name) => ({
    key: `param:${name}`,
    title: short.get(name) ?? name,
    hint: name,
    width: "minmax(76px, 1fr)",
    numeric: isNumeric(trials, name),
    cell: (trial) => (
      <span title={`${name}=${sweptValue(trial, name)}`}>{sweptValue(trial, name) ?? NONE}</span>
    ),
    order: orderOf(trials, name),
  }));
}

function metricColumn(key: string): Column<TrialRow> {
  return {
    key: `metric:${key}`,
    title: key,
    hint: `metrics.${key}`,
    width: "76px",
    numeric: true,
    cell: ({ metrics }) => <Metric value={metrics[key]} />,
    order: ({ metrics }) => metrics[key] ?? null,
  };
}

function goalColumn({ metric, better }: Goal): Column<TrialRow> {
  return {
    ...metricColumn(metric),
    title: <strong>{metric}</strong>,
    hint: `${metric}, the goal: ${better === "higher" ? "more" : "less"} is better`,
    width: "88px",
    cell: ({ metrics }) => (
      <strong>
        <Metric value={metrics[metric]} />
      </strong>
    ),
  };
}

function numberColumn(best: number | null): Column<TrialRow> {
  return {
    key: "trial",
    title: "Trial",
    width: best === null ? "44px" : "92px",
    cell: ({ number }) => (
      <span className="line">
        <span>{number}</span>
        {number === best ? <BestTag /> : null}
      </span>
    ),
    order: ({ number }) => number,
  };
}

const stateColumn = (goesOn: boolean): Column<TrialRow> => ({
  key: "state",
  title: "State",
  width: "minmax(96px, 1.5fr)",
  cell: (trial) => <TrialState trial={trial} goesOn={goesOn} />,
  order: ({ status }) => status,
});

const timeColumn = (now: number): Column<TrialRow> => ({
  key: "took",
  title: "Took",
  width: "84px",
  numeric: true,
  cell: (trial) => duration(trialTime(trial, now)),
  order: (trial) => trialTime(trial, now),
});

const actionColumn = (onUse: (trial: TrialRow) => void): Column<TrialRow> => ({
  key: "use",
  title: "",
  width: "52px",
  cell: (trial) =>
    isUsable(trial) ? (
      <Button
        kind="ghost"
        aria-label={`Use the parameters of trial ${trial.number}`}
        title="Use these parameters"
        onClick={(event) => {
          event.stopPropagation();
          onUse(trial);
        }}
      >
        Use…
      </Button>
    ) : null,
});

/** The trials side by side. */
export function Trials({
  view,
  selected,
  onSelect,
  onUse,
}: {
  view: SweepView;
  selected: ReadonlySet<string>;
  onSelect: (ids: Set<string>) => void;
  onUse: (trial: TrialRow) => void;
}) {
  const place = usePlace();
  const now = useNow(view.status === "RUNNING" ? 1000 : 60_000);
  const { trials } = view;
  const columns = useMemo((): Column<TrialRow>[] => {
    return [
      numberColumn(view.best),
      ...(view.asked.goal ? [goalColumn(view.asked.goal)] : []),
      ...paramColumns(trials),
      ...otherMetrics(view).map(metricColumn),
      stateColumn(view.status === "RUNNING"),
      timeColumn(now),
      actionColumn(onUse),
    ];
  }, [view, trials, now, onUse]);
  const sorting = parseSorting(place.search.sort) ?? firstSorting(view.asked.goal);
  return (
    <Table
      label="Trials"
      rows={sorted(trials, columns, sorting)}
      columns={columns}
      id={({ number }) => String(number)}
      onOpen={({ run_id }) => {
        if (run_id !== null) place.go(pathTo("runs", run_id));
      }}
      selected={selected}
      onSelect={onSelect}
      sorting={sorting}
      onSort={(next) => place.set({ sort: printSorting(next) })}
    />
  );
}
