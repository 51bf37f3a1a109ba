import { Menu } from "@base-ui/react/menu";
import { ChevronsUpDown, FolderOpen, Plus } from "lucide-react";
import { useAction, useCommand } from "../api/client";
import { host } from "../host";
import { shortPath } from "../shared/format";
import { useGo } from "../shared/place";
import { useProject } from "../shared/stored";

export function useOpenProject(): (path: string) => void {
  const go = useGo();
  const [, setProject] = useProject();
  const open = useAction("projects.open", {
    onDone(project) {
      setProject(project.path);
      go("/overview");
    },
  });
  return (path) => open.mutate({ path });
}

export async function pickFolder(title: string): Promise<string | null> {
  return host().pickFolder(title);
}

export function ProjectSwitcher() {
  const [project] = useProject();
  const projects = useCommand("projects.list", {});
  const status = useCommand("status.get", {});
  const open = useOpenProject();
  const go = useGo();
  const known = projects.data ?? [];
  const current = known.find(({ path }) => path === project);
  const home = status.data?.home;
  return (
    <Menu.Root>
      <Menu.Trigger className="switcher" aria-label="Switch project">
        <span className="switcher-text">
          <strong className="cut">{current?.name ?? project?.split("/").pop() ?? "No project"}</strong>
          <span className="cut faint">{project ? shortPath(project, home) : "Open one to start"}</span>
        </span>
        <ChevronsUpDown size={14} aria-hidden />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={4} align="start" style={{ zIndex: 30 }}>
          <Menu.Popup className="popup">
            {known.length > 0 ? <div className="popup-label">Projects</div> : null}
            {known.map(({ path, name, exists }) => (
              <Menu.Item key={path} className="popup-item" disabled={!exists} onClick={() => open(path)}>
                <span className="stack" style={{ gap: 0 }}>
                  <span className="cut">{name}</span>
                  <span className="cut faint small-text">
                    {exists ? shortPath(path, home) : `${shortPath(path, home)} is gone`}
                  </span>
                </span>
              </Menu.Item>
            ))}
            {known.length > 0 ? <div className="popup-rule" /> : null}
            <Menu.Item
              className="popup-item"
              onClick={() => {
                void pickFolder("Open a folder").then((path) => {
                  if (path) open(path);
                });
              }}
            >
              <FolderOpen size={14} aria-hidden /> Open a folder…
            </Menu.Item>
            <Menu.Item className="popup-item" onClick={() => go("/welcome")}>
              <Plus size={14} aria-hidden /> Sample, clone and more
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
