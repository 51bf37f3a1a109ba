import { Star } from "lucide-react";
import { Tag } from "../shared/ui";

export function BestTag() {
  return (
    <Tag tone="good">
      <span className="line best">
        <Star size={10} fill="currentColor" aria-hidden />
        best
      </span>
    </Tag>
  );
}
