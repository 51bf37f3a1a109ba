import { usePlace } from "../shared/place";
import { useProject } from "../shared/stored";
import { Dataset } from "./Dataset";
import { Datasets } from "./Datasets";

export default function DataPage() {
  const { rest } = usePlace();
  const [project] = useProject();
  if (!project) return null;
  const path = rest.join("/");
  return path === "" ? <Datasets project={project} /> : <Dataset key={path} project={project} path={path} />;
}
