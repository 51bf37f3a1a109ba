import { type ReactNode, useEffect, useState } from "react";
import { Toaster } from "sonner";
import { useCommand } from "../api/client";
import { usePlace } from "../shared/place";
import { useProject, useTheme } from "../shared/stored";
import { To } from "../shared/ui";
import { useFinishedJobs } from "./finished";
import { Help } from "./Help";
import { useKeys } from "./keys";
import { Palette } from "./Palette";
import { ProjectSwitcher } from "./ProjectSwitcher";
import { BELOW, LAP, type NavPlace } from "./places";
import { StatusBar } from "./StatusBar";
import { TrustDialog } from "./TrustDialog";
import "./shell.css";

function Nav({ places, counts }: { places: NavPlace[]; counts: Record<string, number> }) {
  const { noun } = usePlace();
  return (
    <ul className="nav">
      {places.map(({ path, name, icon: Icon }) => (
        <li key={path} aria-current={`/${noun}` === path ? "page" : undefined}>
          <To to={path}>
            <Icon size={15} strokeWidth={1.6} aria-hidden />
            <span className="grow">{name}</span>
          </To>
          {counts[path] ? (
            <span className="nav-count" aria-hidden>
              {counts[path]}
            </span>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [theme] = useTheme();
  const [project] = useProject();
  const { noun } = usePlace();
  const status = useCommand("status.get", {}, { every: 5000 });
  useKeys({ openPalette: () => setPalette(true), openHelp: () => setHelp((open) => !open) });
  useFinishedJobs();
  useEffect(() => {
    if (!status.data) return;
    document.title = project ? `${project.split("/").pop()} – Lapwing` : "Lapwing";
  }, [status.data, project]);
  const bare = noun === "welcome";
  return (
    <div className="shell" data-bare={bare || undefined}>
      <aside className="sidebar">
        <ProjectSwitcher />
        <nav aria-label="The lap" className="grow">
          <Nav places={LAP} counts={{ "/monitors": status.data?.open_alerts ?? 0 }} />
        </nav>
        <nav aria-label="More">
          <Nav places={BELOW} counts={{ "/jobs": status.data?.running_jobs ?? 0 }} />
        </nav>
      </aside>
      <main className="main" tabIndex={-1}>
        {children}
      </main>
      <StatusBar status={status.data} onPalette={() => setPalette(true)} onHelp={() => setHelp(true)} />
      <Palette open={palette} onOpenChange={setPalette} />
      <Help open={help} onOpenChange={setHelp} />
      <TrustDialog />
      <Toaster position="bottom-right" theme={theme} offset={40} visibleToasts={4} />
    </div>
  );
}
