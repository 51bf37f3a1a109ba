import { call } from "../api/client";
import type { ProjectSummary } from "../api/generated";
import { host, toReport } from "../host";
import { setStored } from "../shared/stored";

/** The one that was opened last, here or with the command line, and is still there. */
export function newest(projects: readonly ProjectSummary[]): string | null {
  const there = projects.filter(({ exists }) => exists);
  const first = there.reduce<ProjectSummary | null>(
    (best, one) => (best && best.opened >= one.opened ? best : one),
    null,
  );
  return first?.path ?? null;
}

/** The window begins with the project that was opened last. */
export async function chooseProject(): Promise<string | null> {
  try {
    const project = newest(await call("projects.list", {}));
    setStored("project", project);
    return project;
  } catch (thrown) {
    host().reportError(`cannot list the projects: ${toReport(thrown).message}`);
    return null;
  }
}
