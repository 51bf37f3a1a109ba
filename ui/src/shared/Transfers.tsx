import { Square } from "lucide-react";
import { toast } from "sonner";
import { showFailure, useAction, useCommand } from "../api/client";
import type { Cargo, Direction, Report, TransferRow } from "../api/generated";
import { bytes, plural } from "./format";
import { Button, StateMark } from "./ui";
import "./transfers.css";

/** Milliseconds between two looks while something moves. */
const EVERY = 400;

/** Somebody asked for a stop: that is no failure. */
export function wasStopped(report: Report): boolean {
  return report.name === "remote.stopped" || report.name === "git.stopped";
}

/** How a transfer that did not come to its end is told; `show` where it failed. */
export function ended(report: Report, direction: Direction, show = showFailure): void {
  // Commits arrive all or not at all.
  if (report.name === "git.stopped") toast("Stopped. Nothing was changed.");
  else if (wasStopped(report)) toast(`Stopped. The next ${direction} goes on from there.`);
  else show(report);
}

export function usePush() {
  return useAction("data.push", {
    done: (to) =>
      `Pushed ${plural(to.files, "file")} (${bytes(to.bytes)}) to ${to.remote}, ${plural(to.skipped, "file")} already there${to.unpushed_commits > 0 ? `. ${plural(to.unpushed_commits, "commit")} that name data are only here: push them on the overview.` : ""}`,
    onFailure: (report) => ended(report, "push"),
  });
}

export function usePull() {
  return useAction("data.pull", {
    done: (from) => `Pulled ${plural(from.files, "file")} (${bytes(from.bytes)}) from ${from.remote}`,
    onFailure: (report) => ended(report, "pull"),
  });
}

/** Percent that is done. `null` while nobody knows how much there is. */
export function share({ done, total }: Pick<TransferRow, "done" | "total">): number | null {
  // What is sent a second time after a cut counts twice.
  return total > 0 ? Math.min(100, Math.round((100 * done) / total)) : null;
}

/** What goes where, or comes from where. */
export function title({ direction, cargo, name, remote }: TransferRow): string {
  const where = remote ?? "the default remote";
  if (cargo === "commits" && name !== null) return `Clone ${name} from ${where}`;
  const of = cargo === "image" ? `the image of ${name}` : name;
  const what = cargo === "commits" ? " commits" : of === null ? "" : ` ${of}`;
  if (direction === "push") return `Push${what} to ${where}`;
  if (direction === "pull") return `Pull${what} from ${where}`;
  return `Sync with ${where}`;
}

/** The transfers that go on, each with its Stop; those of some kinds only, where a page is about these. */
export function Transfers({ project, only }: { project: string | null; only?: readonly Cargo[] }) {
  const going = useCommand(
    "transfers.list",
    { project: project || null },
    { every: (rows) => (rows?.length ? EVERY : false), staleTime: 0 },
  );
  const stop = useAction("transfers.stop");
  const rows = going.data?.filter((row) => only?.includes(row.cargo) ?? true) ?? [];
  if (rows.length === 0) return null;
  return (
    <ul className="transfers" aria-label="Transfers">
      {rows.map((row) => (
        <Transfer key={row.id} row={row} onStop={() => stop.mutate({ id: row.id })} />
      ))}
    </ul>
  );
}

function Transfer({ row, onStop }: { row: TransferRow; onStop: () => void }) {
  const percent = share(row);
  const word = row.stopping ? "Stopping…" : "Stop";
  // Of commits objects are counted, and `what` has their numbers.
  const counted = row.cargo === "commits" || percent === null;
  const amount = counted ? null : `${bytes(row.done)} of ${bytes(row.total)}`;
  const detail = amount ? `${row.what}, ${amount}` : row.what;
  return (
    <li className="transfer">
      <span className="line transfer-title" title={title(row)}>
        <StateMark tone="running" />
        <span className="cut">{title(row)}</span>
      </span>
      <div
        className="transfer-bar"
        role="progressbar"
        aria-label={title(row)}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent ?? undefined}
        aria-valuetext={amount ? `${amount}, ${row.what}` : row.what}
      >
        <div style={{ width: `${percent ?? 0}%` }} />
      </div>
      <span className="quiet cut transfer-detail" title={detail}>
        {detail}
      </span>
      <Button
        kind="ghost"
        icon={Square}
        disabled={row.stopping}
        aria-label={`${word}: ${title(row)}`}
        onClick={onStop}
      >
        {word}
      </Button>
    </li>
  );
}
