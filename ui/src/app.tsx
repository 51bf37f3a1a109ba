import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { askAhead, createQueryClient, markStale } from "./api/client";
import { host } from "./host";
import { createAppRouter } from "./routes";
import { useTheme } from "./shared/stored";
import { ErrorBoundary } from "./shell/ErrorBoundary";

const client = createQueryClient();
const router = createAppRouter();

function ThemeOnRoot() {
  const [theme] = useTheme();
  useEffect(() => {
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const apply = () => {
      const shown = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
      document.documentElement.dataset.theme = shown;
    };
    apply();
    dark.addEventListener("change", apply);
    return () => dark.removeEventListener("change", apply);
  }, [theme]);
  return null;
}

function Changes() {
  useEffect(
    () =>
      host().onChanges((changes) =>
        markStale(
          client,
          changes.map(({ tag }) => tag),
        ),
      ),
    [],
  );
  return null;
}

export function App() {
  return (
    <ErrorBoundary>
      <QueryClientProvider client={client}>
        <ThemeOnRoot />
        <Changes />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </ErrorBoundary>
  );
}

/** Draws the window; `project` is the one that it begins with. */
export function mount(root: HTMLElement | null, project: string | null): void {
  if (!root) throw new Error("the page has no #root");
  // The answer is on its way while the frame is drawn.
  if (project !== null) askAhead(client, "overview.get", { project });
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
