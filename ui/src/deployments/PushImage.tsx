import { Upload } from "lucide-react";
import { useState } from "react";
import { showFailure, useAction, useCommand } from "../api/client";
import { toReport } from "../host";
import { Asked, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { ended, Transfers, wasStopped } from "../shared/Transfers";
import { Button, Field, To } from "../shared/ui";

/** Goes on where its dialog is closed: `shown` says whether that has a place for a failure. */
export function usePushImage(shown: boolean) {
  return useAction("deployments.push", {
    done: ({ image }) => `Pushed ${image}`,
    onFailure: (report) => ended(report, "push", shown ? () => undefined : showFailure),
  });
}

/** Builds the image and sends it to a registry, from where any engine pulls it. */
export function PushImage({ name, push }: { name: string; push: ReturnType<typeof usePushImage> }) {
  const [project] = useProject();
  const [chosen, setChosen] = useState("");
  const [repository, setRepository] = useState("");
  const remotes = useCommand("remotes.list", { project });
  const failure = push.isError ? toReport(push.error) : null;
  const registries = (remotes.data ?? []).filter((row) => row.kind === "oci");
  const remote = registries.find((row) => row.called === chosen) ?? registries[0];
  const host = remote?.url.replace(/^[a-z]+:\/\//, "").replace(/\/$/, "");
  return (
    <Asked query={remotes} rows={2}>
      {() =>
        remote ? (
          <section className="push-image" aria-label="Push the image">
            <div className="push-image-form">
              <Field label="Registry">
                <select
                  className="input"
                  value={remote.called}
                  title={remote.url}
                  onChange={(event) => setChosen(event.target.value)}
                >
                  {registries.map((row) => (
                    <option key={row.called}>{row.called}</option>
                  ))}
                </select>
              </Field>
              <Field label="Repository">
                <input
                  className="input mono"
                  value={repository}
                  placeholder={name}
                  onChange={(event) => setRepository(event.target.value)}
                />
              </Field>
              <Button
                icon={Upload}
                busy={push.isPending}
                onClick={() =>
                  push.mutate({
                    project,
                    name,
                    remote: remote.called,
                    repository: repository.trim() || null,
                  })
                }
              >
                Build and push
              </Button>
            </div>
            <p className="faint">
              As <code>{`${host}/${repository.trim() || name}`}</code>, from where any engine pulls it.
            </p>
            {push.isPending ? <Transfers project={project} only={["image"]} /> : null}
            {failure && !wasStopped(failure) ? <Failure report={failure} /> : null}
          </section>
        ) : (
          <p className="quiet">
            To push the image from here, add an OCI registry under <To to="/remotes">Remotes</To>.
          </p>
        )
      }
    </Asked>
  );
}
