import { ArrowDown, ArrowUp } from "lucide-react";
import { useAction } from "../api/client";
import type { GitPosition } from "../api/generated";
import { plural } from "../shared/format";
import { ended } from "../shared/Transfers";
import { Button } from "../shared/ui";
import { standing } from "./git";

/** Where the branch stands against its git remote, as of the last exchange, and the two ways to bring them together. */
export function Git({ project, position }: { project: string; position: GitPosition }) {
  const pull = useAction("projects.pull", {
    done: ({ commits, data, position: { upstream } }) =>
      commits === 0
        ? `Nothing new in ${upstream}`
        : `Pulled ${plural(commits, "commit")}${data ? ". They name other data: pull it on the Remotes page." : ""}`,
    onFailure: (report) => ended(report, "pull"),
  });
  const push = useAction("projects.push", {
    done: ({ commits, position: { upstream } }) => `Pushed ${plural(commits, "commit")} to ${upstream}`,
    onFailure: (report) => ended(report, "push"),
  });
  const input = { project, remote: null };
  const { ahead, upstream, remote } = position;
  return (
    <span className="line" title="As of the last fetch, pull or push">
      <span>{standing(position)}</span>
      <Button
        icon={ArrowDown}
        busy={pull.isPending}
        title={`Fetch ${remote} and go forward`}
        onClick={() => pull.mutate(input)}
      >
        Pull
      </Button>
      {ahead > 0 || upstream === null ? (
        <Button
          icon={ArrowUp}
          busy={push.isPending}
          title={`Send ${plural(ahead, "commit")} to ${remote}`}
          onClick={() => push.mutate(input)}
        >
          Push
        </Button>
      ) : null}
    </span>
  );
}
