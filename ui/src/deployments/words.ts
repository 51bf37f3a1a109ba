import type { DeploymentState } from "../api/generated";
import type { Tone } from "../shared/ui";

export const STATE: Record<DeploymentState, { tone: Tone; word: string }> = {
  starting: { tone: "running", word: "starting" },
  running: { tone: "good", word: "running" },
  stopped: { tone: "idle", word: "stopped" },
  failed: { tone: "failed", word: "failed" },
};
