import type { Status } from "../api/generated";
import { bytes, plural } from "../shared/format";
import { CopyButton, Kbd, StateMark, To } from "../shared/ui";

export function StatusBar({
  status,
  onPalette,
  onHelp,
}: {
  status: Status | undefined;
  onPalette: () => void;
  onHelp: () => void;
}) {
  return (
    <footer className="statusbar">
      {status ? (
        <>
          <span className="status-item" title={status.docker ? "Docker answers" : "Docker is not reachable"}>
            <StateMark tone={status.docker ? "good" : "idle"} size={10} />
            {status.docker ? "Docker" : "No Docker"}
          </span>
          <span className="status-item" title={`Workspace: ${status.workspace}`}>
            Workspace {bytes(status.workspace_bytes)}
          </span>
          {status.tracking_url ? (
            <span className="status-item id" title="Tracking server">
              <StateMark tone="good" size={10} />
              <code>{status.tracking_url}</code>
              <CopyButton text={status.tracking_url} label="Copy the tracking address" />
            </span>
          ) : (
            <span className="status-item" title="Start it with `lapwing server`">
              <StateMark tone="idle" size={10} />
              Tracking off
            </span>
          )}
          <span className="grow" />
          <To to="/jobs" className="status-item">
            {status.running_jobs > 0 ? <StateMark tone="running" size={10} /> : null}
            {plural(status.running_jobs, "running job")}
          </To>
          <To to="/monitors" className="status-item">
            {status.open_alerts > 0 ? <StateMark tone="stale" size={10} /> : null}
            {plural(status.open_alerts, "open alert")}
          </To>
        </>
      ) : (
        <span className="grow" />
      )}
      <button type="button" className="status-item" onClick={onPalette}>
        Search <Kbd>Ctrl K</Kbd>
      </button>
      <button type="button" className="status-item" onClick={onHelp} aria-label="Keyboard shortcuts">
        <Kbd>?</Kbd>
      </button>
    </footer>
  );
}
