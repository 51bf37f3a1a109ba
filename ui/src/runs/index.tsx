import { usePlace } from "../shared/place";
import { Compare } from "./Compare";
import { Run } from "./Run";
import { Runs } from "./Runs";

export default function RunsPage() {
  const { rest, search } = usePlace();
  const [id] = rest;
  if (id === "compare")
    return <Compare ids={(search.ids ?? "").split(",").filter((known) => known !== "")} />;
  return id ? <Run key={id} id={id} /> : <Runs />;
}
