import type { RunDetail } from "../api/generated";
import { JobLog } from "../shared/LogView";
import { usePlace } from "../shared/place";
import { Empty } from "../shared/states";

export function RunLog({ detail }: { detail: RunDetail }) {
  const place = usePlace();
  const jobs = detail.jobs;
  const live =
    jobs.find(({ status }) => status === "running") ??
    jobs.find(({ status }) => status === "failed") ??
    jobs.at(-1);
  const id = place.search.job ?? live?.id;
  if (!id)
    return (
      <Empty title="No log">
        This run was logged from outside the pipeline, so its output is where it ran.
      </Empty>
    );
  return (
    <div className="run-log">
      <div className="segments">
        {jobs.map((job) => (
          <button
            key={job.id}
            type="button"
            aria-pressed={job.id === id}
            onClick={() => place.set({ job: job.id })}
          >
            {job.stage ?? job.title}
          </button>
        ))}
      </div>
      <div className="grow" style={{ minHeight: 0 }}>
        <JobLog key={id} id={id} />
      </div>
    </div>
  );
}
