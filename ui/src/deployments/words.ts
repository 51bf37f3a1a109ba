import type { DeploymentState } from "../api/generated";
import type { Tone } from "../shared/ui";

export const STATE: Record<DeploymentState, { tone: Tone; word: string }> = {
  starting: { tone: "running", word: "starting" },
  running: { tone: "good", word: "running" },
  stopped: { tone: "idle", word: "stopped" },
  failed: { tone: "failed", word: "failed" },
};

/** The registered name in `NAME@ALIAS`, `models:/NAME/3`, `NAME/3`; `null` for a folder or a run's model. */
export function registeredName(model: string): string | null {
  const plain = model.replace(/^models:\//, "");
  if (/^(runs:|file:|[./~])/.test(plain)) return null;
  return /^(.+?)(?:@[^/@]+|\/\d+)?$/.exec(plain)?.[1] ?? null;
}
