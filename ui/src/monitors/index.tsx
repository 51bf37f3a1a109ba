import { usePlace } from "../shared/place";
import { Monitor } from "./Monitor";
import { Monitors } from "./Monitors";

/** `/monitors`, `/monitors/DEPLOYMENT` */
export default function MonitorPage() {
  const { rest } = usePlace();
  const [name] = rest;
  return name === undefined ? <Monitors /> : <Monitor key={name} name={name} />;
}
