// Where the window is. The address says what is shown: the path names the thing, the search its tab and filters.
import { useNavigate, useRouterState } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";

export type Search = Record<string, string>;

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text));
}

export function printSearch(search: Record<string, unknown>): string {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") parts.set(key, String(value));
  }
  const text = parts.toString();
  return text === "" ? "" : `?${text}`;
}

/** `/runs/ab%20c` → `["runs", "ab c"]` */
export function partsOf(path: string): string[] {
  return path
    .split("/")
    .filter((part) => part !== "")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

export function pathTo(...parts: (string | number)[]): string {
  return `/${parts.map((part) => encodeURIComponent(String(part))).join("/")}`;
}

export interface Place {
  path: string;
  /** Without the noun: for `/models/taxi/3` it is `["taxi", "3"]`. */
  rest: string[];
  noun: string;
  search: Search;
  /** `to` is a path, with its own `?search` if it needs one. */
  go: (to: string, replace?: boolean) => void;
  /** Changes some of the search and keeps the rest; `null` removes a key. */
  set: (changes: Record<string, string | null>, replace?: boolean) => void;
}

export function useGo(): (to: string, replace?: boolean) => void {
  const navigate = useNavigate();
  return useCallback(
    (to, replace = false) => {
      const [path = "/", query = ""] = to.split("?");
      void navigate({ to: path, search: parseSearch(query) as never, replace });
    },
    [navigate],
  );
}

export function usePlace(): Place {
  const href = useRouterState({ select: (state) => state.location.pathname + state.location.searchStr });
  const go = useGo();
  return useMemo(() => {
    const [path = "/", query = ""] = href.split("?");
    const [noun = "", ...rest] = partsOf(path);
    const search = parseSearch(query);
    return {
      path,
      noun,
      rest,
      search,
      go,
      set(changes, replace = true) {
        const next: Search = { ...search };
        for (const [key, value] of Object.entries(changes)) {
          if (value === null) delete next[key];
          else next[key] = value;
        }
        go(path + printSearch(next), replace);
      },
    };
  }, [href, go]);
}
