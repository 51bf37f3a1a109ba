import { call } from "../api/client";
import { LogText, useLog } from "../shared/LogView";

export function Log({ name }: { name: string }) {
  const { text, ended, error } = useLog(`deployment ${name}`, (from, max) =>
    call("deployments.log", { name, from, max }),
  );
  return (
    <div className="fill">
      <LogText text={text} ended={ended} empty={error ?? "It printed nothing."} />
    </div>
  );
}
