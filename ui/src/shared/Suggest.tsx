// A text field that offers what is known, and takes anything else as well.
import { Autocomplete } from "@base-ui/react/autocomplete";
import "./dialog.css";

export interface Suggestion {
  text: string;
  /** Said beside it: the value now. */
  note?: string;
}

/** Some of many: a person types to see fewer. */
const MOST_SHOWN = 200;

export function Suggest({
  label,
  value,
  onChange,
  known,
  placeholder,
  invalid = false,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  known: readonly Suggestion[];
  placeholder?: string;
  invalid?: boolean;
}) {
  const items = known.map(({ text }) => text);
  const notes = new Map(known.map(({ text, note }) => [text, note]));
  return (
    <Autocomplete.Root
      items={items}
      value={value}
      onValueChange={onChange}
      filter={(item: string, query) =>
        // What is chosen already hides none of the others.
        items.includes(query) || item.toLowerCase().includes(query.trim().toLowerCase())
      }
      limit={MOST_SHOWN}
      openOnInputClick
    >
      <Autocomplete.Input
        className="input mono"
        aria-label={label}
        aria-invalid={invalid || undefined}
        placeholder={placeholder}
        spellCheck={false}
        title={value}
      />
      <Autocomplete.Portal>
        <Autocomplete.Positioner sideOffset={4} align="start" style={{ zIndex: 50 }}>
          <Autocomplete.Popup className="popup suggestions">
            <Autocomplete.List>
              {(item: string) => (
                <Autocomplete.Item key={item} value={item} className="popup-item">
                  <span className="cut grow mono" title={item}>
                    {item}
                  </span>
                  <span className="cut faint mono">{notes.get(item)}</span>
                </Autocomplete.Item>
              )}
            </Autocomplete.List>
          </Autocomplete.Popup>
        </Autocomplete.Positioner>
      </Autocomplete.Portal>
    </Autocomplete.Root>
  );
}
