import { Upload } from "lucide-react";
import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import { toReport } from "../host";
import { Asked, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { Button, Field, To } from "../shared/ui";

/** Builds the image and sends it to a registry, from where any engine pulls it. */
export function PushImage({ name }: { name: string }) {
  const [project] = useProject();
  const [chosen, setChosen] = useState("");
  const [repository, setRepository] = useState("");
  const remotes = useCommand("remotes.list", { project });
  const push = useAction("deployments.push", { quiet: true, done: ({ image }) => `Pushed ${image}` });
  const registries = (remotes.data ?? []).filter((row) => row.kind === "oci");
  const remote = registries.find((row) => row.name === chosen) ?? registries[0];
  return (
    <Asked query={remotes}>
      {() =>
        remote ? (
          <>
            <span className="line">
              <Field label="Registry" hint={remote.url}>
                <select
                  className="input"
                  value={remote.name}
                  onChange={(event) => setChosen(event.target.value)}
                >
                  {registries.map((row) => (
                    <option key={row.name}>{row.name}</option>
                  ))}
                </select>
              </Field>
              <Field label="Repository" hint="Empty takes the deployment’s name">
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
                    remote: remote.name,
                    repository: repository.trim() || null,
                  })
                }
              >
                Build and push
              </Button>
            </span>
            {push.isError ? <Failure report={toReport(push.error)} /> : null}
          </>
        ) : (
          <p className="quiet">
            To push the image from here, add an OCI registry under <To to="/remotes">Remotes</To>.
          </p>
        )
      }
    </Asked>
  );
}
