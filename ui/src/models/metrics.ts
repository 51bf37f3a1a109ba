import type { VersionDetail, VersionRow } from "../api/generated";
import type { Tone } from "../shared/ui";

const FIRST = ["auc", "roc_auc", "accuracy", "f1", "log_loss", "rmse", "mae", "r2"];

/** The few metrics worth a column: the well-known ones first, then by name. */
export function keyMetrics(versions: readonly VersionRow[], most = 3): string[] {
  const keys = new Set(versions.flatMap(({ metrics }) => Object.keys(metrics)));
  const rank = (key: string) => {
    const at = FIRST.indexOf(
      key.toLowerCase().replace(/^.*[._](auc|accuracy|f1|log_loss|rmse|mae|r2)$/, "$1"),
    );
    return at < 0 ? FIRST.length : at;
  };
  return [...keys].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).slice(0, most);
}

/** What setting an alias does, said before it is done. */
export function aliasSentence(
  alias: string,
  to: number,
  aliases: Record<string, number>,
  deployments: readonly string[],
): string {
  const now = aliases[alias];
  if (now === to) return `${alias} already names version ${to}.`;
  const move =
    now === undefined
      ? `${alias} is new and will name version ${to}.`
      : `${alias} moves from version ${now} to version ${to}.`;
  return deployments.length > 0
    ? `${move} ${deployments.join(", ")} keeps serving its revision until you deploy again.`
    : move;
}

export const ALIAS = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** MLflow keeps `latest` and `v3` for itself. */
export function aliasFault(alias: string): string | null {
  if (alias === "") return null;
  if (alias.toLowerCase() === "latest") return "“latest” always names the newest version";
  if (/^v\d+$/i.test(alias)) return "v and a number reads like a version";
  return ALIAS.test(alias) ? null : "Letters, digits, “_”, “-” and “.”, beginning with a letter";
}

export function safetyTone(safety: VersionDetail["safety"]): Tone {
  return safety === "safe" ? "good" : safety === "unsafe" ? "failed" : "stale";
}
