// Plain functions behind the runs pages.
import type { Comparison, ListRuns, RunRow } from "../api/generated";
import type { Sorting } from "../shared/Table";

const PAGE = 200;
export const MOST_COMPARED = 12;

/** How the tracking server is asked to order what a column shows. */
export function orderBy(sorting: Sorting | null): string[] {
  if (!sorting) return [];
  const [kind, ...rest] = sorting.key.split(":");
  const direction = sorting.descending ? "DESC" : "ASC";
  const key = rest.join(":");
  if (kind === "metric") return [`metrics.\`${key}\` ${direction}`];
  if (kind === "param") return [`params.\`${key}\` ${direction}`];
  const attribute = { start: "start_time", name: "run_name", status: "status" }[kind ?? ""];
  return attribute ? [`attributes.${attribute} ${direction}`] : [];
}

/** Which runs a list shows. */
export interface Wanted {
  /** `null` for those of every project. */
  project: string | null;
  filter: string;
  sorting: Sorting | null;
  deleted: boolean;
  /** The trials of a sweep are on the sweep's own page; a thousand of them would bury the other runs here. */
  trials: "shown" | "hidden";
}

const NO_TRIALS = "tags.`mlflow.parentRunId` IS NULL";

export function listInput({ project, filter, sorting, deleted, trials }: Wanted): ListRuns {
  const conditions = [...(trials === "hidden" ? [NO_TRIALS] : []), ...(filter.trim() ? [filter.trim()] : [])];
  return {
    project,
    experiment: null,
    filter: conditions.length === 0 ? null : conditions.join(" and "),
    order_by: orderBy(sorting),
    max: PAGE,
    page_token: null,
    deleted,
  };
}

const MOST_CHILDREN = 50;

/** The runs that belong under one. */
export function childrenInput(parent: string): ListRuns {
  const filter = `tags.\`mlflow.parentRunId\` = '${parent}'`;
  const every = listInput({ project: null, filter, sorting: null, deleted: false, trials: "shown" });
  return { ...every, max: MOST_CHILDREN };
}

export function parseSorting(text: string | undefined): Sorting | null {
  if (!text) return null;
  return text.startsWith("-") ? { key: text.slice(1), descending: true } : { key: text, descending: false };
}

export function printSorting(sorting: Sorting | null): string | null {
  return sorting ? `${sorting.descending ? "-" : ""}${sorting.key}` : null;
}

export interface Keys {
  metrics: string[];
  params: string[];
}

/** `metric:auc param:rate`, or all that fit when nobody has chosen. */
export function shownKeys(stored: string | null, known: Keys): Keys {
  if (stored === null) return { metrics: known.metrics.slice(0, 4), params: known.params.slice(0, 3) };
  const chosen = new Set(stored.split("\n"));
  return {
    metrics: known.metrics.filter((key) => chosen.has(`metric:${key}`)),
    params: known.params.filter((key) => chosen.has(`param:${key}`)),
  };
}

export function runTime(run: RunRow, now: number): number {
  return Math.max(0, (run.end ?? now) - run.start);
}

/** Lines that differ first, each group in its own order. */
export function differingFirst<T extends Comparison["metrics"][number]>(rows: readonly T[]): T[] {
  return [...rows.filter(({ differs }) => differs), ...rows.filter(({ differs }) => !differs)];
}

/** `model/MLmodel` → `MLmodel` */
export function baseName(path: string): string {
  return path.split("/").pop() ?? path;
}
