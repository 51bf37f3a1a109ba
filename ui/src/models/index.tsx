import { usePlace } from "../shared/place";
import { Model } from "./Model";
import { Models } from "./Models";
import { Version } from "./Version";

/** `/models`, `/models/NAME`, `/models/NAME/3` */
export default function ModelsPage() {
  const { rest } = usePlace();
  const [name, version] = rest;
  if (name === undefined) return <Models />;
  const number = Number(version);
  return version !== undefined && Number.isInteger(number) ? (
    <Version key={`${name}/${number}`} name={name} version={number} />
  ) : (
    <Model key={name} name={name} />
  );
}
