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

const USUAL_METRICS = 4;
const USUAL_PARAMS = 3;
/** Beside the parameters that trials differ in there is less room. */
const METRICS_OF_TRIALS = 2;

/** `first` before the rest, and no more than `most`. */
function led(first: readonly string[], all: readonly string[], most: number): string[] {
  const leading = first.filter((key) => all.includes(key));
  return [...leading, ...all.filter((key) => !leading.includes(key))].slice(0, most);
}

/** `metric:auc param:rate`, or what fits when nobody has chosen: first what trials are compared by and differ in. */
export function shownKeys(
  stored: string | null,
  known: Keys,
  first: Keys = { metrics: [], params: [] },
): Keys {
  if (stored === null)
    return {
      metrics: led(
        first.metrics,
        known.metrics,
        first.params.length > 0 ? Math.max(METRICS_OF_TRIALS, first.metrics.length) : USUAL_METRICS,
      ),
      params: led(first.params, known.params, Math.max(USUAL_PARAMS, first.params.length)),
    };
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
