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

export function listInput(
  project: string | null,
  filter: string,
  sorting: Sorting | null,
  deleted: boolean,
): ListRuns {
  return {
    project,
    experiment: null,
    filter: filter.trim() === "" ? null : filter.trim(),
    order_by: orderBy(sorting),
    max: PAGE,
    page_token: null,
    deleted,
  };
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
