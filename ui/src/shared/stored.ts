// Small choices of one person on one machine: the open project, the theme, the columns of a table.
import { useCallback, useSyncExternalStore } from "react";

const listeners = new Map<string, Set<() => void>>();
const memory = new Map<string, string>();

function read(key: string): string | null {
  const known = memory.get(key);
  if (known !== undefined) return known;
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string | null): void {
  if (value === null) memory.delete(key);
  else memory.set(key, value);
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Private windows have no storage: the choice then lasts as long as the window.
  }
  for (const tell of listeners.get(key) ?? []) tell();
}

export function setStored(name: string, value: string | null): void {
  write(`lapwing.${name}`, value);
}

export function useStored(name: string): [string | null, (value: string | null) => void] {
  const key = `lapwing.${name}`;
  const value = useSyncExternalStore(
    useCallback(
      (tell: () => void) => {
        const known = listeners.get(key) ?? new Set();
        known.add(tell);
        listeners.set(key, known);
        return () => known.delete(tell);
      },
      [key],
    ),
    () => read(key),
  );
  return [value, useCallback((next: string | null) => write(key, next), [key])];
}

/** The path of the project that the window shows; `null` before one is opened. */
export function useProject(): [string | null, (path: string | null) => void] {
  return useStored("project");
}

export type Theme = "system" | "light" | "dark";

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [value, set] = useStored("theme");
  const theme: Theme = value === "light" || value === "dark" ? value : "system";
  return [theme, (next) => set(next === "system" ? null : next)];
}
