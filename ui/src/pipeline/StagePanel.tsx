import { X } from "lucide-react";
import type { StageRow } from "../api/generated";
import { duration } from "../shared/format";
import { JobLog } from "../shared/LogView";
import { pathTo } from "../shared/place";
import { CopyButton, Facts, IconButton, State, StateMark, Tabs, To } from "../shared/ui";
import { STAGE } from "../shared/words";

function Paths({ paths, none }: { paths: string[]; none: string }) {
  if (paths.length === 0) return <span className="faint">{none}</span>;
  return (
    <ul>
      {paths.map((path) => (
        <li key={path}>
          <code>{path}</code>
        </li>
      ))}
    </ul>
  );
}

export function StagePanel({
  stage,
  tab,
  onTab,
  onClose,
}: {
  stage: StageRow;
  tab: string;
  onTab: (tab: string) => void;
  onClose: () => void;
}) {
  const { tone, word } = STAGE[stage.state];
  return (
    <aside className="stage-panel" aria-label={`Stage ${stage.name}`}>
      <header className="line stage-panel-head">
        <h2 className="cut">{stage.name}</h2>
        <State tone={tone}>{word}</State>
        <span className="grow" />
        <IconButton label="Close" icon={X} onClick={onClose} />
      </header>
      {stage.waits ? (
        <p className="stage-waits stage-reason" role="status">
          <StateMark tone="stale" size={10} />
          <span>{stage.waits}</span>
        </p>
      ) : null}
      <Tabs
        label="Stage"
        tabs={[
          ["about", "About"],
          ["log", "Log"],
        ]}
        current={tab}
        onChange={onTab}
      />
      {tab === "log" ? (
        <div className="stage-log">
          {stage.job ? (
            <JobLog key={stage.job} id={stage.job} />
          ) : (
            <p className="quiet">This stage has not run here yet.</p>
          )}
        </div>
      ) : (
        <div className="stage-about">
          {stage.reasons.length > 0 ? (
            <section className="stack" style={{ gap: 4 }}>
              <h3>Why it would run</h3>
              <ul>
                {stage.reasons.map((reason) => (
                  <li key={reason} className="stage-reason">
                    <StateMark tone="stale" size={10} />
                    <span>{reason}</span>
                  </li>
                ))}
              </ul>
            </section>
          ) : null}
          {stage.description ? <p className="quiet">{stage.description}</p> : null}
          <Facts
            rows={[
              [
                "Command",
                <span key="c" className="line">
                  <code className="grow">{stage.command}</code>
                  <CopyButton text={stage.command} label="Copy the command" />
                </span>,
              ],
              ["Reads", <Paths key="d" paths={stage.deps} none="nothing" />],
              ["Makes", <Paths key="o" paths={stage.outs} none="nothing" />],
              ["Metrics", <Paths key="m" paths={stage.metrics} none="none" />],
              ["Parameters", <Paths key="p" paths={stage.params} none="none" />],
              ["Runs on", stage.on ? <code key="w">{stage.on}</code> : "this machine"],
              ["Last took", duration(stage.duration_ms)],
              [
                "Job",
                stage.job ? (
                  <To key="j" to={pathTo("jobs", stage.job)}>
                    Open
                  </To>
                ) : (
                  <span key="j" className="faint">
                    none yet
                  </span>
                ),
              ],
              ["Written in", <code key="f">{stage.file}</code>],
            ]}
          />
        </div>
      )}
    </aside>
  );
}
