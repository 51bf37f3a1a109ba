import { useEffect, useRef } from "react";
import { useCommand } from "../api/client";
import type { JobRow } from "../api/generated";
import { host } from "../host";
import { duration } from "../shared/format";

const LONG_MS = 60_000;
const GOING: readonly string[] = ["queued", "running"];

export function justFinished(before: ReadonlySet<string>, jobs: readonly JobRow[]): JobRow[] {
  return jobs.filter((job) => before.has(job.id) && !GOING.includes(job.status));
}

/** Tells the desktop when a job of more than a minute ends. */
export function useFinishedJobs(): void {
  const going = useRef<ReadonlySet<string>>(new Set());
  const jobs = useCommand("jobs.list", { project: null, run_id: null }, { every: 5000 });
  useEffect(() => {
    if (!jobs.data) return;
    for (const job of justFinished(going.current, jobs.data)) {
      const took = job.started !== null && job.ended !== null ? job.ended - job.started : 0;
      if (took < LONG_MS) continue;
      host()
        .notify(job.title, `${job.status.replace("_", " ")} after ${duration(took)}`)
        .catch((thrown: unknown) => host().reportError(`cannot notify: ${String(thrown)}`));
    }
    going.current = new Set(jobs.data.filter((job) => GOING.includes(job.status)).map((job) => job.id));
  }, [jobs.data]);
}
