import { Dialog } from "@base-ui/react/dialog";
import { Command } from "cmdk";
import { useState } from "react";
import { useCommand } from "../api/client";
import { useGo } from "../shared/place";
import { useSettled } from "../shared/settled";
import { useProject, useTheme } from "../shared/stored";
import { Kbd } from "../shared/ui";
import { PLACES } from "./places";

export function Palette({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const [text, setText] = useState("");
  const go = useGo();
  const [project] = useProject();
  const [, setTheme] = useTheme();
  const query = useSettled(text.trim(), 120);
  const found = useCommand("find", { project, query }, { enabled: open && query.length > 0, keep: true });
  const choose = (action: () => void) => () => {
    onOpenChange(false);
    setText("");
    action();
  };
  const matches = (name: string) => name.toLowerCase().includes(text.trim().toLowerCase());
  const rows = query.length > 0 ? (found.data ?? []) : [];
  const places = PLACES.filter(({ name }) => matches(name));
  const themes = (["dark", "light", "system"] as const).filter(
    (name) => text !== "" && matches(`theme ${name}`),
  );
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog palette" aria-label="Search and commands">
          <Command shouldFilter={false} label="Search and commands">
            <Command.Input
              value={text}
              onValueChange={setText}
              placeholder="Find a run, model, dataset or id, or go to a page"
              autoFocus
            />
            <Command.List>
              <Command.Empty>{found.isFetching ? "Searching…" : `Nothing found for “${text}”`}</Command.Empty>
              {rows.length > 0 ? (
                <Command.Group heading="Found">
                  {rows.map((row) => (
                    <Command.Item
                      key={row.route + row.title}
                      value={row.route + row.title}
                      onSelect={choose(() => go(row.route))}
                    >
                      <span className="palette-noun faint">{row.noun}</span>
                      <span className="cut">{row.title}</span>
                      <span className="cut faint grow">{row.detail}</span>
                    </Command.Item>
                  ))}
                </Command.Group>
              ) : null}
              <Command.Group heading="Go to" hidden={places.length === 0}>
                {places.map(({ path, name, icon: Icon, key }) => (
                  <Command.Item key={path} value={path} onSelect={choose(() => go(path))}>
                    <Icon size={14} strokeWidth={1.6} aria-hidden />
                    <span className="grow">{name}</span>
                    <span>
                      <Kbd>g</Kbd> <Kbd>{key}</Kbd>
                    </span>
                  </Command.Item>
                ))}
              </Command.Group>
              {themes.length > 0 ? (
                <Command.Group heading="Theme">
                  {themes.map((name) => (
                    <Command.Item key={name} value={`theme ${name}`} onSelect={choose(() => setTheme(name))}>
                      Use the {name} theme
                    </Command.Item>
                  ))}
                </Command.Group>
              ) : null}
            </Command.List>
          </Command>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
