// One page per noun; a page reads the rest of the address itself with `usePlace`.

import { parseHref } from "@tanstack/history";
import {
  createBrowserHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
} from "@tanstack/react-router";
import { type ComponentType, lazy, Suspense, useEffect } from "react";
import { parseSearch, printSearch, useGo, usePlace } from "./shared/place";
import { Skeleton } from "./shared/states";
import { useProject } from "./shared/stored";
import { ErrorBoundary } from "./shell/ErrorBoundary";
import { ALIASES } from "./shell/places";
import { Shell } from "./shell/Shell";

const PAGES: Record<string, ComponentType> = {
  welcome: lazy(() => import("./welcome")),
  overview: lazy(() => import("./overview")),
  data: lazy(() => import("./data")),
  pipeline: lazy(() => import("./pipeline")),
  runs: lazy(() => import("./runs")),
  models: lazy(() => import("./models")),
  deployments: lazy(() => import("./deployments")),
  monitors: lazy(() => import("./monitors")),
  automations: lazy(() => import("./automations")),
  remotes: lazy(() => import("./remotes")),
  jobs: lazy(() => import("./jobs")),
  settings: lazy(() => import("./settings")),
};

/** Pages that mean something without an open project. */
const FREE = new Set(["welcome", "models", "deployments", "monitors", "jobs", "settings"]);

function Current() {
  const { noun, path } = usePlace();
  const go = useGo();
  const [project] = useProject();
  const Page = PAGES[noun];
  const alias = ALIASES[`/${noun}`];
  const elsewhere = alias ?? (!Page ? "/overview" : project === null && !FREE.has(noun) ? "/welcome" : null);
  useEffect(() => {
    if (elsewhere) go(alias ? path.replace(`/${noun}`, alias) : elsewhere, true);
  }, [elsewhere, alias, go, noun, path]);
  if (elsewhere || !Page) return <Skeleton />;
  return (
    <ErrorBoundary place={path}>
      <Suspense fallback={<Skeleton />}>
        <Page key={project ?? ""} />
      </Suspense>
    </ErrorBoundary>
  );
}

/** Everything after `#`. The ready-made hash history mixes the page's own `?search` into it. */
function hashHistory() {
  return createBrowserHistory({
    parseLocation: () => parseHref(window.location.hash.slice(1) || "/", window.history.state),
    createHref: (href) => `${window.location.pathname}${window.location.search}#${href}`,
  });
}

export function createAppRouter() {
  const root = createRootRoute({
    component: () => (
      <Shell>
        <Outlet />
      </Shell>
    ),
    notFoundComponent: Current,
  });
  const all = createRoute({ getParentRoute: () => root, path: "$", component: Current });
  const index = createRoute({ getParentRoute: () => root, path: "/", component: Current });
  return createRouter({
    routeTree: root.addChildren([index, all]),
    history: hashHistory(),
    parseSearch: (text) => parseSearch(text),
    stringifySearch: (search) => printSearch(search),
  });
}
