// Plain functions behind a sweep's page.
import type { Goal, StartSweep, SweepView, TrialRow } from "../api/generated";
import { plural } from "../shared/format";
import type { Sorting } from "../shared/Table";
import { tally } from "../shared/trials";

const OTHER_METRICS = 2;

/** `train.rate=0.1` → `["train.rate", "0.1"]` */
export function assigned(text: string): [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** The parameters that differ between trials, as typed. */
export function sweptNames(trials: readonly TrialRow[]): string[] {
  return (trials[0]?.set ?? []).map((text) => assigned(text)[0]);
}

export function sweptValue(trial: TrialRow, name: string): string | null {
  const text = trial.set.find((known) => assigned(known)[0] === name);
  return text === undefined ? null : assigned(text)[1];
}

/** The last part of a dotted name, where that says which one is meant. */
export function shortNames(names: readonly string[]): Map<string, string> {
  const last = (name: string) => name.split(/[.:]/).pop() || name;
  const often = new Map<string, number>();
  for (const name of names) often.set(last(name), (often.get(last(name)) ?? 0) + 1);
  return new Map(names.map((name) => [name, often.get(last(name)) === 1 ? last(name) : name]));
}

export function asNumber(text: string | null): number | null {
  if (text === null || text.trim() === "") return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

/** Whether every trial has a number for it. */
export function isNumeric(trials: readonly TrialRow[], name: string): boolean {
  return trials.every((trial) => asNumber(sweptValue(trial, name)) !== null);
}

/** What a column of values is sorted by: numbers as numbers, when all are. */
export function orderOf(
  trials: readonly TrialRow[],
  name: string,
): (trial: TrialRow) => string | number | null {
  const numeric = isNumeric(trials, name);
  return (trial) => (numeric ? asNumber(sweptValue(trial, name)) : sweptValue(trial, name));
}

/** Every metric that a trial has, the goal's first. */
export function metricsOf(view: SweepView): string[] {
  const known = new Set(view.trials.flatMap(({ metrics }) => Object.keys(metrics)));
  const goal = view.asked.goal ? [view.asked.goal.metric] : [];
  return [...goal, ...[...known].filter((key) => !goal.includes(key)).sort()];
}

/** The few beside the goal's that a table has room for. */
export function otherMetrics(view: SweepView): string[] {
  const others = metricsOf(view).filter((key) => key !== view.asked.goal?.metric);
  return others.slice(0, OTHER_METRICS);
}

/** The nearest to the goal first; as they were numbered where there is no goal. */
export function firstSorting(goal: Goal | null): Sorting | null {
  return goal ? { key: `metric:${goal.metric}`, descending: goal.better === "higher" } : null;
}

export function bestOf(view: SweepView): TrialRow | null {
  return view.trials.find(({ number }) => number === view.best) ?? null;
}

/** Of a trial that has not finished nobody knows what its parameters make. */
export function isUsable({ status }: TrialRow): boolean {
  return status === "FINISHED";
}

export function trialTime({ start, end }: TrialRow, now: number): number | null {
  return start === null ? null : Math.max(0, (end ?? now) - start);
}

/** Why there is no best one; `null` when there is, or may still be. */
export function bestSentence(view: SweepView): string | null {
  if (bestOf(view)) return null;
  if (!view.asked.goal) return "No goal was set: sort by a metric to compare the trials.";
  const finished = view.trials.filter(({ status }) => status === "FINISHED");
  if (view.status === "RUNNING" && finished.length === 0) return null;
  if (finished.length > 0) return `No trial has a metric ${view.asked.goal.metric}.`;
  return null;
}

/** What to do with a sweep that ended before all its trials did. */
export function againSentence(view: SweepView): string | null {
  if (view.status === "RUNNING" || view.status === "SCHEDULED") return null;
  const left = view.trials.filter(({ status }) => status !== "FINISHED").length;
  if (left === 0) return null;
  return [`${plural(left, "trial")} did not finish.`, view.advice].filter(Boolean).join(" ");
}

/** What is true of some trials, said once. */
export interface Told {
  text: string;
  trials: TrialRow[];
}

function told(trials: readonly TrialRow[], of: (trial: TrialRow) => string | null): Told[] {
  const found = new Map<string, TrialRow[]>();
  for (const trial of trials) {
    const text = of(trial);
    if (text !== null) found.set(text, [...(found.get(text) ?? []), trial]);
  }
  return [...found].map(([text, same]) => ({ text, trials: same }));
}

/** What trials failed of. */
export function failuresOf(trials: readonly TrialRow[]): Told[] {
  return told(trials, ({ status, failure }) => (status === "FAILED" ? failure : null));
}

/** What is done for trials that go on, or what they wait for. */
export function doingOf(trials: readonly TrialRow[]): Told[] {
  return told(trials, ({ doing }) => doing);
}

/** Whether a parameter was drawn from each power of ten as often as from the next. */
export function isLogarithmic(asked: StartSweep, name: string): boolean {
  return asked.values.some((text) => {
    const [named, values] = assigned(text);
    return named.trim() === name && values.trim().startsWith("log_uniform");
  });
}

/** Percent of the trials that are done. */
export function doneShare(trials: readonly TrialRow[]): number {
  return trials.length === 0 ? 0 : Math.round((100 * tally(trials).done) / trials.length);
}
