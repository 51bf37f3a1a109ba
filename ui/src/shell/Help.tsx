import { Dialog } from "../shared/Dialog";
import { Kbd } from "../shared/ui";
import { PLACES } from "./places";

const KEYS: [string[], string][] = [
  [["Ctrl", "K"], "Search and commands"],
  [["/"], "Filter the list on this page"],
  [["?"], "These shortcuts"],
  [["Esc"], "Close"],
  [["↑", "↓"], "Move through a table"],
  [["Enter"], "Open the row"],
  [["Space"], "Select the row"],
];

export function Help({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const places: [string[], string][] = PLACES.map(({ key, name }) => [["g", key], name]);
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keyboard shortcuts">
      <div className="help">
        {[KEYS, places].map((group, index) => (
          <ul key={index}>
            {group.map(([keys, text]) => (
              <li key={text}>
                <span className="grow">{text}</span>
                {keys.map((key) => (
                  <Kbd key={key}>{key}</Kbd>
                ))}
              </li>
            ))}
          </ul>
        ))}
      </div>
    </Dialog>
  );
}
