import { useCommand } from "../api/client";
import type { Status } from "../api/generated";
import { Asked } from "../shared/states";
import { Where as AnyWhere, type Place, Travelling } from "../shared/Where";

export type { Place };

/** Where stages run. */
export function Where({
  project,
  stages,
  status,
  place,
  onChange,
}: {
  project: string;
  stages: string[];
  status: Status | undefined;
  place: Place;
  onChange: (place: Place) => void;
}) {
  return (
    <AnyWhere
      project={project}
      label="Where the stages run"
      status={status}
      place={place}
      onChange={onChange}
    >
      <Uploads project={project} stages={stages} />
    </AnyWhere>
  );
}

/** What would travel, before anything does. */
function Uploads({ project, stages }: { project: string; stages: string[] }) {
  const list = useCommand("pipeline.uploads", { project, stages });
  return (
    <Asked query={list}>
      {({ files, bytes, left_out, missing }) => (
        <Travelling files={files} total={bytes} missing={missing} stays={left_out.map(({ path }) => path)} />
      )}
    </Asked>
  );
}
