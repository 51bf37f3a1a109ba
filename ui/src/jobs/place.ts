import type { JobRow } from "../api/generated";

/** Where a job runs, in a few words. */
export function placeWords({ on, target }: Pick<JobRow, "on" | "target">): string {
  if (on) return `On ${on}`;
  return target === "docker" ? "In Docker" : "As a process";
}
