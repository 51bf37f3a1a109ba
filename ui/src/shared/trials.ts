// How far a sweep is: told on the pipeline's page and on the sweep's own.
import type { SweepView, TrialRow } from "../api/generated";
import { count } from "./format";

/** Milliseconds between two looks at a sweep that goes on. */
const LIVE_MS = 1500;
const LIVE_MANY_MS = 5000;
/** So many trials make a large answer. */
const MANY = 200;

export function sweepEvery(view: SweepView | null | undefined): number | false {
  if (view?.status !== "RUNNING") return false;
  return view.trials.length > MANY ? LIVE_MANY_MS : LIVE_MS;
}

export interface Tally {
  done: number;
  running: number;
  failed: number;
  stopped: number;
}

export function tally(trials: readonly TrialRow[]): Tally {
  const of = (...wanted: TrialRow["status"][]) =>
    trials.filter(({ status }) => wanted.includes(status)).length;
  return {
    done: of("FINISHED", "FAILED"),
    running: of("RUNNING", "SCHEDULED"),
    failed: of("FAILED"),
    stopped: of("KILLED"),
  };
}

/** `7 of 12 done, 2 running, 1 failed` */
export function tallySentence(trials: readonly TrialRow[]): string {
  const { done, running, failed, stopped } = tally(trials);
  const words = [`${count(done)} of ${count(trials.length)} done`];
  if (running > 0) words.push(`${count(running)} running`);
  if (failed > 0) words.push(`${count(failed)} failed`);
  if (stopped > 0) words.push(`${count(stopped)} stopped`);
  return words.join(", ");
}
