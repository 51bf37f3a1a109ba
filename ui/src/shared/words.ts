// States as words, with the tone that draws them.
import type { DataState, JobStatus, RunStatus, StageState, StationState } from "../api/generated";
import type { Tone } from "./ui";

type Said = { tone: Tone; word: string };

export const RUN: Record<RunStatus, Said> = {
  RUNNING: { tone: "running", word: "running" },
  SCHEDULED: { tone: "stale", word: "scheduled" },
  FINISHED: { tone: "good", word: "finished" },
  FAILED: { tone: "failed", word: "failed" },
  KILLED: { tone: "idle", word: "stopped" },
};

export const JOB: Record<JobStatus, Said> = {
  queued: { tone: "stale", word: "queued" },
  running: { tone: "running", word: "running" },
  succeeded: { tone: "good", word: "finished" },
  failed: { tone: "failed", word: "failed" },
  cancelled: { tone: "idle", word: "stopped" },
  timed_out: { tone: "failed", word: "timed out" },
  lost: { tone: "failed", word: "lost" },
};

export const STAGE: Record<StageState, Said> = {
  fresh: { tone: "good", word: "up to date" },
  stale: { tone: "stale", word: "stale" },
  queued: { tone: "stale", word: "queued" },
  running: { tone: "running", word: "running" },
  failed: { tone: "failed", word: "failed" },
  frozen: { tone: "idle", word: "frozen" },
};

export const DATA: Record<DataState, Said> = {
  clean: { tone: "good", word: "saved" },
  modified: { tone: "stale", word: "modified" },
  deleted: { tone: "failed", word: "deleted" },
  new: { tone: "stale", word: "new" },
  not_in_cache: { tone: "idle", word: "not here" },
};

export const STATION: Record<StationState, Said> = {
  empty: { tone: "idle", word: "nothing yet" },
  running: { tone: "running", word: "running" },
  good: { tone: "good", word: "good" },
  stale: { tone: "stale", word: "stale" },
  failed: { tone: "failed", word: "needs attention" },
};
