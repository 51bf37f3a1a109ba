import { FolderOpen, GitBranch, Sparkle } from "lucide-react";
import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { ProjectDetail } from "../api/generated";
import { host, toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { shortPath } from "../shared/format";
import { useGo } from "../shared/place";
import { Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { Transfers, wasStopped } from "../shared/Transfers";
import { Button, Field, Time } from "../shared/ui";
import { Mark } from "../shell/Mark";
import "./welcome.css";

/** `https://host/team/churn.git` → `churn` */
export function folderOf(url: string): string {
  return (
    url
      .trim()
      .replace(/\/+$/, "")
      .replace(/\.git$/, "")
      .split(/[/:]/)
      .pop() ?? ""
  );
}

function CloneDialog({
  open,
  onOpenChange,
  onDone,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDone: (project: ProjectDetail) => void;
}) {
  const [url, setUrl] = useState("");
  const [parent, setParent] = useState<string | null>(null);
  const status = useCommand("status.get", {});
  const clone = useAction("projects.clone", { onDone, quiet: true });
  const folder = folderOf(url);
  const into = parent ?? status.data?.home ?? "";
  const failure = clone.isError ? toReport(clone.error) : null;
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Clone a project"
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="primary"
            busy={clone.isPending}
            disabled={folder === "" || into === ""}
            onClick={() => clone.mutate({ url: url.trim(), path: `${into}/${folder}` })}
          >
            {clone.isPending ? "Cloning…" : "Clone"}
          </Button>
        </>
      }
    >
      <Field label="Address" hint="Anything that git clone takes">
        <input
          className="input mono"
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          placeholder="https://github.com/team/project.git"
        />
      </Field>
      <Field label="Into">
        <span className="line">
          <code className="grow cut">
            {folder ? `${shortPath(into, status.data?.home)}/${folder}` : shortPath(into, status.data?.home)}
          </code>
          <Button
            onClick={() => {
              void host()
                .pickFolder("Clone into")
                .then((path) => path && setParent(path));
            }}
          >
            Choose…
          </Button>
        </span>
      </Field>
      {clone.isPending ? <Transfers project={null} only={["commits"]} /> : null}
      {failure && !wasStopped(failure) ? <Failure report={failure} /> : null}
    </Dialog>
  );
}

export default function WelcomePage() {
  const go = useGo();
  const [, setProject] = useProject();
  const [cloning, setCloning] = useState(false);
  const projects = useCommand("projects.list", {});
  const status = useCommand("status.get", {});
  const show = (project: ProjectDetail) => {
    setProject(project.path);
    go("/overview");
  };
  const sample = useAction("projects.create_sample", { onDone: show, quiet: true });
  const open = useAction("projects.open", { onDone: show, quiet: true });
  const forget = useAction("projects.forget", { done: "Taken off the list. The folder stays." });
  const failed = sample.error ?? open.error ?? projects.error;
  const known = projects.data ?? [];
  return (
    <div className="welcome">
      <div className="welcome-inner">
        <header className="stack">
          <Mark size={40} />
          <h1>Lapwing</h1>
          <p className="quiet">
            The whole loop of a model on this machine: data, pipeline, runs, models, endpoints, monitoring,
            retraining.
          </p>
        </header>
        <ul className="welcome-ways">
          <li>
            <Button
              kind="primary"
              icon={Sparkle}
              busy={sample.isPending}
              onClick={() => sample.mutate({ path: null })}
            >
              Create the sample project
            </Button>
            <p className="quiet">
              {sample.isPending
                ? "Creating flight-delays in your home folder…"
                : "Flight delays: real data, a four-stage pipeline, and drift to find. Works offline."}
            </p>
          </li>
          <li>
            <Button
              icon={FolderOpen}
              busy={open.isPending}
              onClick={() => {
                void host()
                  .pickFolder("Open a folder")
                  .then((path) => path && open.mutate({ path }));
              }}
            >
              Open a folder
            </Button>
            <p className="quiet">Any DVC or MLflow project opens as it is. A plain folder works too.</p>
          </li>
          <li>
            <Button icon={GitBranch} onClick={() => setCloning(true)}>
              Clone
            </Button>
            <p className="quiet">Fetch a project with git, then open it.</p>
          </li>
        </ul>
        {failed ? <Failure report={toReport(failed)} /> : null}
        {known.length > 0 ? (
          <section>
            <h2>Recent</h2>
            <ul className="welcome-recent">
              {known.map((project) => (
                <li key={project.path}>
                  <button
                    type="button"
                    className="welcome-project"
                    disabled={!project.exists}
                    onClick={() => open.mutate({ path: project.path })}
                  >
                    <span className="cut">{project.name}</span>
                    <span className="cut faint">
                      {shortPath(project.path, status.data?.home)}
                      {project.exists ? "" : " – the folder is gone"}
                    </span>
                    <span className="faint num">
                      <Time at={project.opened} />
                    </span>
                  </button>
                  <Button
                    kind="ghost"
                    aria-label={`Forget ${project.name}`}
                    onClick={() => forget.mutate({ project: project.path })}
                  >
                    Forget
                  </Button>
                </li>
              ))}
            </ul>
          </section>
        ) : (
          <p className="faint">
            On the command line: <code>lapwing projects sample</code>, or <code>lapwing projects open .</code>
          </p>
        )}
      </div>
      <CloneDialog open={cloning} onOpenChange={setCloning} onDone={show} />
    </div>
  );
}
