import type { Host } from "./index";
export function mockHost(): Host {
  throw new Error("todo");
}
