import { FolderSearch, RefreshCw } from "lucide-react";
import { useCommand } from "../api/client";
import type { Check } from "../api/generated";
import { host } from "../host";
import { bytes, count } from "../shared/format";
import { Asked, Prose } from "../shared/states";
import { type Theme, useTheme } from "../shared/stored";
import { Button, CopyButton, Facts, Id, Page, Section, State, type Tone } from "../shared/ui";
import { Mark } from "../shell/Mark";
import "./settings.css";

const CHECKS: Record<Check["state"], { tone: Tone; word: string }> = {
  ok: { tone: "good", word: "found" },
  optional: { tone: "idle", word: "optional" },
  missing: { tone: "failed", word: "missing" },
};
const THEMES: [Theme, string][] = [
  ["system", "Follow the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];
const GUIDE = "https://mlflow.org/docs/latest/tracking.html";

export default function SettingsPage() {
  const [theme, setTheme] = useTheme();
  const status = useCommand("status.get", {});
  const doctor = useCommand("doctor.check", {}, { staleTime: 60_000 });
  return (
    <Page title="Settings">
      <div className="settings">
        <Section title="Theme">
          <div className="segments" role="group" aria-label="Theme">
            {THEMES.map(([id, name]) => (
              <button key={id} type="button" aria-pressed={theme === id} onClick={() => setTheme(id)}>
                {name}
              </button>
            ))}
          </div>
        </Section>
        <Section title="Workspace">
          <Asked query={status} rows={3}>
            {(known) => (
              <Facts
                rows={[
                  [
                    "Folder",
                    <span key="f" className="line">
                      <Id id={known.workspace} full />
                      <Button icon={FolderSearch} onClick={() => void host().reveal(known.workspace)}>
                        Reveal
                      </Button>
                    </span>,
                  ],
                  ["Size", `${bytes(known.workspace_bytes)} (${count(known.workspace_bytes)} bytes)`],
                  [
                    "Tracking",
                    known.tracking_url ? (
                      <span key="t" className="stack" style={{ gap: 4 }}>
                        <Id id={known.tracking_url} full />
                        <span className="line wrap quiet">
                          Any MLflow client logs here:{" "}
                          <code>export MLFLOW_TRACKING_URI={known.tracking_url}</code>
                          <CopyButton
                            text={`export MLFLOW_TRACKING_URI=${known.tracking_url}`}
                            label="Copy the setting"
                          />
                        </span>
                      </span>
                    ) : (
                      <span key="t" className="quiet">
                        Not running. <code>lapwing server</code> starts it without a window.
                      </span>
                    ),
                  ],
                ]}
              />
            )}
          </Asked>
        </Section>
        <Section
          title="This machine"
          aside={
            <Button
              kind="ghost"
              icon={RefreshCw}
              busy={doctor.isFetching}
              onClick={() => void doctor.refetch()}
            >
              Check again
            </Button>
          }
        >
          <Asked query={doctor} rows={5}>
            {(checks) => (
              <ul className="checks">
                {checks.map((check) => (
                  <li key={check.name}>
                    <State tone={CHECKS[check.state].tone}>{CHECKS[check.state].word}</State>
                    <strong>{check.name}</strong>
                    <span>
                      <span className="quiet">{check.found}</span>
                      {check.hint ? (
                        <span className="check-hint">
                          <Prose text={check.hint} />
                        </span>
                      ) : null}
                    </span>
                  </li>
                ))}
              </ul>
            )}
          </Asked>
        </Section>
        <Section title="About">
          <div className="about">
            <Mark size={32} />
            <div>
              <p>
                <strong>Lapwing</strong> {status.data?.version}
              </p>
              <p className="quiet">
                The whole loop of a model on one machine. Apache-2.0. Nothing leaves this machine unless you
                push it.{" "}
                <button type="button" className="as-link" onClick={() => void host().openExternal(GUIDE)}>
                  How to log with MLflow
                </button>
              </p>
            </div>
          </div>
        </Section>
      </div>
    </Page>
  );
}
