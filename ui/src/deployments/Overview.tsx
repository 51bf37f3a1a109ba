import { ExternalLink } from "lucide-react";
import type { DeploymentDetail } from "../api/generated";
import { host } from "../host";
import { plural } from "../shared/format";
import { pathTo } from "../shared/place";
import { Facts, Id, Section, State, Time, To } from "../shared/ui";
import { Traffic } from "./Traffic";
import { registeredName, STATE } from "./words";

export function Overview({ detail }: { detail: DeploymentDetail }) {
  const { row, revisions } = detail;
  const serving = revisions.find(({ number }) => number === row.revision);
  return (
    <div className="sheet">
      {row.state === "failed" && row.why ? (
        <div className="failure flush-left" role="alert">
          <p className="failure-message">{`${row.name} failed: ${row.why}`}</p>
          <p className="quiet">Its log has the whole story. Start tries again.</p>
        </div>
      ) : null}
      <div className="two-columns">
        <Section title="Endpoint">
          <Facts
            rows={[
              ["Address", row.url ? <Id key="url" id={row.url} full /> : "none while it is not running"],
              [
                "State",
                <State key="state" tone={STATE[row.state].tone}>
                  {STATE[row.state].word}
                </State>,
              ],
              ["Pages", <Links key="links" detail={detail} />],
              ["Runs as", row.target === "docker" ? "Docker container" : "process"],
              ["Updated", <Time key="updated" at={row.updated} />],
            ]}
          />
        </Section>
        <Section title="Serves">
          <Facts
            rows={[
              ["Model", <Served key="model" detail={detail} />],
              ["Revision", row.revision ?? "none"],
              ["Runtime", row.runtime],
              ["Why this runtime", serving?.runtime_note || "–"],
              ["Released by", serving?.released_by ?? "–"],
              [
                "Monitor",
                <To key="monitor" to={pathTo("monitors", row.name)}>
                  {row.open_alerts > 0 ? plural(row.open_alerts, "open alert") : "no open alerts"}
                </To>,
              ],
            ]}
          />
        </Section>
      </div>
      <Traffic name={row.name} live={row.state === "running"} />
    </div>
  );
}

/** The registry's page of what is served, where it came from the registry. */
function Served({ detail: { row } }: { detail: DeploymentDetail }) {
  const name = registeredName(row.model);
  const version = row.model_version;
  if (version === null || name === null) return <code>{row.model}</code>;
  return (
    <span className="line">
      <To to={pathTo("models", name, version)}>{`${name} v${version}`}</To>
      {row.model === name ? null : <span className="faint">{row.model}</span>}
    </span>
  );
}

function Links({ detail: { docs_url, metrics_url } }: { detail: DeploymentDetail }) {
  const links = [
    ["Documentation", docs_url],
    ["Metrics", metrics_url],
  ] as const;
  if (!docs_url && !metrics_url) return <span className="faint">–</span>;
  return (
    <span className="line">
      {links.map(([text, url]) =>
        url ? (
          <button
            key={text}
            type="button"
            className="link"
            title={url}
            onClick={() => void host().openExternal(url)}
          >
            {text} <ExternalLink size={12} aria-hidden />
          </button>
        ) : null,
      )}
    </span>
  );
}
