import { useState } from "react";
import { useCommand } from "../api/client";
import type { DataVersion, DiffRow } from "../api/generated";
import { bytes, count, plural } from "../shared/format";
import { Asked, Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Button, Id, Tag, Time, type Tone } from "../shared/ui";
import "./data.css";

const VERSIONS: Column<DataVersion>[] = [
  { key: "short", title: "Commit", width: "68px", cell: (row) => <code>{row.short}</code> },
  { key: "message", title: "Message", width: "minmax(140px, 1fr)", cell: (row) => row.message },
  { key: "author", title: "Author", width: "88px", cell: (row) => row.author },
  { key: "size", title: "Size", width: "80px", numeric: true, cell: (row) => bytes(row.size) },
  { key: "files", title: "Files", width: "60px", numeric: true, cell: (row) => count(row.files) },
  { key: "hash", title: "Hash", width: "90px", cell: (row) => <Id id={row.hash} /> },
  { key: "at", title: "When", width: "80px", cell: (row) => <Time at={row.at} /> },
];

const DIFF: Record<DiffRow["kind"], { tone: Tone; word: string }> = {
  added: { tone: "good", word: "added" },
  modified: { tone: "stale", word: "modified" },
  deleted: { tone: "failed", word: "deleted" },
  renamed: { tone: "running", word: "renamed" },
};

function change(row: DiffRow): string {
  if (row.old_size === null || row.new_size === null) return "";
  const by = row.new_size - row.old_size;
  return by === 0 ? "same size" : `${by > 0 ? "+" : "−"}${bytes(Math.abs(by))}`;
}

const DIFFS: Column<DiffRow>[] = [
  {
    key: "kind",
    title: "Change",
    width: "96px",
    cell: (row) => <Tag tone={DIFF[row.kind].tone}>{DIFF[row.kind].word}</Tag>,
    order: (row) => row.kind,
  },
  {
    key: "path",
    title: "Path",
    width: "minmax(240px, 1fr)",
    cell: (row) => (row.old_path ? `${row.old_path} → ${row.path}` : row.path),
    order: (row) => row.path,
  },
  {
    key: "old",
    title: "Was",
    width: "90px",
    numeric: true,
    cell: (row) => bytes(row.old_size),
    order: (row) => row.old_size,
  },
  {
    key: "new",
    title: "Is",
    width: "90px",
    numeric: true,
    cell: (row) => bytes(row.new_size),
    order: (row) => row.new_size,
  },
  { key: "by", title: "By", width: "100px", numeric: true, cell: change },
];

export function Diff({
  project,
  from,
  to,
  under,
}: {
  project: string;
  from: string;
  to: string | null;
  under?: string;
}) {
  const diff = useCommand("data.diff", { project, from, to });
  return (
    <Asked query={diff} rows={4}>
      {(answer) => {
        const rows = under
          ? answer.filter(({ path, old_path }) => path.startsWith(under) || old_path?.startsWith(under))
          : answer;
        if (rows.length === 0) {
          return (
            <Empty title="No differences" cli={`lapwing data diff ${from}${to ? ` ${to}` : ""}`}>
              {`Between ${from} and ${to ?? "the folder"} nothing changed here.`}
            </Empty>
          );
        }
        return (
          <Table label="Differences" rows={rows} columns={DIFFS} id={(row) => `${row.kind} ${row.path}`} />
        );
      }}
    </Asked>
  );
}

/** The versions of one dataset; two of them, or one and the folder, are compared. */
export function Versions({ project, path }: { project: string; path: string }) {
  const versions = useCommand("data.log", { project, path });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  return (
    <Asked query={versions}>
      {(answer) => {
        if (answer.length === 0) {
          return (
            <Empty title="No committed versions yet" cli={`lapwing data add ${path} -m "First version"`}>
              A version is a commit that changes this dataset.
            </Empty>
          );
        }
        const chosen = answer.filter(({ commit }) => selected.has(commit));
        const newer = chosen[0] ?? answer[0];
        const older = chosen.length > 1 ? chosen.at(-1) : newer;
        const to = chosen.length > 1 ? (newer?.short ?? null) : null;
        return (
          <div className="versions">
            <Table
              label="Versions"
              rows={answer}
              columns={VERSIONS}
              id={({ commit }) => commit}
              selected={selected}
              onSelect={(ids) => setSelected(new Set([...ids].slice(-2)))}
            />
            <div className="versions-diff">
              <div className="line versions-head">
                <h2>
                  {older?.short} → {to ?? "the folder"}
                </h2>
                <span className="faint">
                  {chosen.length > 1
                    ? ""
                    : `Select two of ${plural(answer.length, "version")} to compare them`}
                </span>
                <span className="grow" />
                {chosen.length > 0 ? (
                  <Button kind="ghost" onClick={() => setSelected(new Set())}>
                    Clear
                  </Button>
                ) : null}
              </div>
              <div className="grow" style={{ minHeight: 0 }}>
                <Diff
                  project={project}
                  from={older?.commit ?? "HEAD"}
                  to={chosen.length > 1 ? (newer?.commit ?? null) : null}
                  under={path}
                />
              </div>
            </div>
          </div>
        );
      }}
    </Asked>
  );
}
