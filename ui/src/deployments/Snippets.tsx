import type { DeploymentDetail } from "../api/generated";
import { Empty } from "../shared/states";
import { CopyButton, Section } from "../shared/ui";

export function Snippets({ detail: { row, snippets } }: { detail: DeploymentDetail }) {
  if (snippets.length === 0)
    return (
      <Empty title={`${row.name} has no address yet`} cli={`lapwing deployments start ${row.name}`}>
        Snippets name its address, so they come once it runs.
      </Empty>
    );
  return (
    <div className="sheet">
      {snippets.map(({ title, code }) => (
        <Section key={title} title={title} aside={<CopyButton text={code} label={`Copy ${title}`} />}>
          <pre className="code">{code}</pre>
        </Section>
      ))}
    </div>
  );
}
