import type { GitPosition } from "../api/generated";

/** Where a branch stands, in a few words. */
export function standing({ remote, upstream, ahead, behind }: GitPosition): string {
  if (upstream === null) return `not on ${remote} yet`;
  if (ahead === 0 && behind === 0) return `in step with ${upstream}`;
  const ways = [ahead > 0 ? `${ahead} ahead of` : "", behind > 0 ? `${behind} behind` : ""];
  return `${ways.filter(Boolean).join(", ")} ${upstream}`;
}
