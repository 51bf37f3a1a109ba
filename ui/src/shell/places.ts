import {
  Activity,
  Box,
  Cloud,
  Database,
  FlaskConical,
  Gauge,
  ListChecks,
  type LucideIcon,
  Repeat,
  Server,
  Settings,
  Workflow,
} from "lucide-react";

export interface NavPlace {
  path: string;
  name: string;
  icon: LucideIcon;
  /** Pressed after `g`. */
  key: string;
}

export const LAP: NavPlace[] = [
  { path: "/overview", name: "Overview", icon: Gauge, key: "o" },
  { path: "/data", name: "Data", icon: Database, key: "d" },
  { path: "/pipeline", name: "Pipeline", icon: Workflow, key: "p" },
  { path: "/runs", name: "Runs", icon: FlaskConical, key: "r" },
  { path: "/models", name: "Models", icon: Box, key: "m" },
  { path: "/deployments", name: "Deployments", icon: Server, key: "e" },
  { path: "/monitors", name: "Monitor", icon: Activity, key: "w" },
  { path: "/automations", name: "Automation", icon: Repeat, key: "a" },
];

export const BELOW: NavPlace[] = [
  { path: "/remotes", name: "Remotes", icon: Cloud, key: "c" },
  { path: "/jobs", name: "Jobs", icon: ListChecks, key: "j" },
  { path: "/settings", name: "Settings", icon: Settings, key: "s" },
];

export const PLACES = [...LAP, ...BELOW];
export const ALIASES: Record<string, string> = { "/monitor": "/monitors", "/automation": "/automations" };
