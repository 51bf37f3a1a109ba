import { usePlace } from "../shared/place";
import { Job } from "./Job";
import { Jobs } from "./Jobs";

export default function JobsPage() {
  const { rest } = usePlace();
  const [id] = rest;
  return id ? <Job key={id} id={id} /> : <Jobs />;
}
