import { usePlace } from "../shared/place";
import { Deployment } from "./Deployment";
import { Deployments } from "./Deployments";

/** `/deployments`, `/deployments/NAME` */
export default function DeploymentsPage() {
  const { rest } = usePlace();
  const [name] = rest;
  return name === undefined ? <Deployments /> : <Deployment key={name} name={name} />;
}
