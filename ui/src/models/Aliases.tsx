import { Tag } from "../shared/ui";

export function Aliases({ aliases }: { aliases: readonly string[] }) {
  if (aliases.length === 0) return <span className="faint">–</span>;
  return (
    <span className="line" style={{ gap: "var(--space-1)" }} title={aliases.join(", ")}>
      {aliases.map((alias) => (
        <Tag key={alias} tone={alias === "champion" ? "good" : undefined}>
          {alias}
        </Tag>
      ))}
    </span>
  );
}
