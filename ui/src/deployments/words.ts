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

/** `flight-delays v3`, however it was asked for. */
export function servedName({
  model,
  model_version,
}: {
  model: string;
  model_version: number | null;
}): string {
  return model_version === null ? model : `${registeredName(model) ?? model} v${model_version}`;
}
