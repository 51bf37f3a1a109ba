// What a list shows when it has no rows to show: nothing yet, loading, failed.
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Report } from "../api/generated";
import { toReport } from "../host";
import { Button, CopyButton } from "./ui";

/** A sentence in which `commands` stand in code. */
export function Prose({ text }: { text: string }) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}

export function Empty({
  title,
  children,
  cli,
  action,
}: {
  title: string;
  children?: ReactNode;
  /** The same step on the command line. */
  cli?: string;
  action?: ReactNode;
}) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children ? <p className="quiet">{children}</p> : null}
      {action ? <div className="line wrap">{action}</div> : null}
      {cli ? (
        <p className="line faint">
          <span>or</span> <code>{cli}</code> <CopyButton text={cli} label={`Copy ${cli}`} />
        </p>
      ) : null}
    </div>
  );
}

export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} style={{ width: `${88 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

export function Failure({ report, retry }: { report: Report; retry?: () => void }) {
  return (
    <div className="failure" role="alert">
      <p className="failure-message">{report.message}</p>
      {report.hint ? (
        <p className="quiet">
          <Prose text={report.hint} />
        </p>
      ) : null}
      <details>
        <summary>Details</summary>
        <code>
          {report.name} ({report.code})
        </code>
      </details>
      {retry ? (
        <div>
          <Button onClick={retry}>Try again</Button>
        </div>
      ) : null}
    </div>
  );
}

/** Chooses between loading, failed and the answer. */
export function Asked<A>({
  query,
  rows,
  children,
}: {
  query: UseQueryResult<A, Error>;
  /** How many skeleton rows. */
  rows?: number;
  children: (answer: A) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.isError) return <Failure report={toReport(query.error)} retry={() => void query.refetch()} />;
  return <Skeleton rows={rows} />;
}
