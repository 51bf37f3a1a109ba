import { Square } from "lucide-react";
import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { JobRow } from "../api/generated";
import { count, duration, NONE, plural } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { useProject } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { IconButton, Page, State, Tag, Time, To, useNow } from "../shared/ui";
import { JOB } from "../shared/words";

/** So many at first; more as one scrolls. */
const PAGE = 500;

export function isGoing(job: JobRow): boolean {
  return job.status === "running" || job.status === "queued";
}

export function jobTime(job: JobRow, now: number): number | null {
  if (job.started === null) return null;
  return job.ended === null
    ? job.status === "running"
      ? Math.max(0, now - job.started)
      : null
    : job.ended - job.started;
}

function columns(now: number, stop: (id: string) => void): Column<JobRow>[] {
  return [
    {
      key: "title",
      title: "Job",
      width: "minmax(140px, 2fr)",
      cell: (row) => (
        <span className="line" title={row.title}>
          <span className="cut">{row.title}</span>
          {row.on ? <Tag>{row.on}</Tag> : row.target === "docker" ? <Tag>Docker</Tag> : null}
        </span>
      ),
      order: (row) => row.title,
    },
    {
      key: "status",
      title: "State",
      width: "92px",
      cell: (row) => <State tone={JOB[row.status].tone}>{JOB[row.status].word}</State>,
      order: (row) => row.status,
    },
    {
      key: "outcome",
      title: "Outcome",
      width: "minmax(88px, 1fr)",
      cell: (row) => (
        <span className="quiet cut" title={row.outcome ?? row.why ?? undefined}>
          {row.outcome ?? row.why}
        </span>
      ),
    },
    {
      key: "project",
      title: "Project",
      width: "minmax(84px, 1fr)",
      cell: (row) => <span title={row.project ?? undefined}>{row.project?.split("/").pop() ?? NONE}</span>,
      order: (row) => row.project,
    },
    {
      key: "run",
      title: "Run",
      width: "72px",
      cell: (row) => (row.run_id ? <To to={pathTo("runs", row.run_id)}>{row.run_id.slice(0, 8)}</To> : NONE),
    },
    {
      key: "created",
      title: "Started",
      width: "76px",
      cell: (row) => <Time at={row.started ?? row.created} />,
      order: (row) => row.created,
    },
    {
      key: "took",
      title: "Took",
      width: "80px",
      numeric: true,
      cell: (row) => duration(jobTime(row, now)),
      order: (row) => jobTime(row, now),
    },
    {
      key: "stop",
      title: "",
      width: "28px",
      cell: (row) =>
        isGoing(row) ? (
          <IconButton
            label={`Stop ${row.title}`}
            icon={Square}
            onClick={(event) => {
              event.stopPropagation();
              stop(row.id);
            }}
          />
        ) : null,
    },
  ];
}

function noteOf(rows: JobRow[], max: number): string {
  const going = rows.filter(isGoing).length;
  const said = going > 0 ? `${plural(going, "job")} going on` : "nothing is running";
  return rows.length < max ? said : `${said}, the newest ${count(max)} shown`;
}

export function Jobs() {
  const place = usePlace();
  const [project] = useProject();
  const now = useNow(1000);
  const here = place.search.here === "1";
  const [max, setMax] = useState(PAGE);
  const jobs = useCommand(
    "jobs.list",
    { project: here ? project : null, run_id: null, max },
    { every: (answer) => (answer?.some(isGoing) ? 1500 : 10_000), keep: true },
  );
  const stop = useAction("jobs.stop", { done: "Stopped" });
  return (
    <Page
      title="Jobs"
      note={jobs.data ? noteOf(jobs.data, max) : null}
      flush
      actions={
        <div className="segments">
          <button type="button" aria-pressed={!here} onClick={() => place.set({ here: null })}>
            All
          </button>
          <button type="button" aria-pressed={here} onClick={() => place.set({ here: "1" })}>
            This project
          </button>
        </div>
      }
    >
      <Asked query={jobs}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No jobs yet" cli="lapwing run">
              Every command that Lapwing runs is listed here, with its log, also after the window was closed.
            </Empty>
          ) : (
            <Table
              label="Jobs"
              rows={rows}
              columns={columns(now, (id) => stop.mutate({ id }))}
              id={({ id }) => id}
              onOpen={({ id }) => place.go(pathTo("jobs", id))}
              onEnd={() => setMax((before) => (rows.length === before ? before * 2 : before))}
            />
          )
        }
      </Asked>
    </Page>
  );
}
